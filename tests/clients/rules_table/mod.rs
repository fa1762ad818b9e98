//! Every client under every rule: a day of an honest user's deeds, each done by the client's own means, and the verdict of the disk.
//!
//! [`day`] says what the deeds are and what the disk shows of them, [`hands`] how a client does them. A row below names the deeds that the
//! rule refuses to everyone, and the cells in which a client fares otherwise. Without SFTP_SERVER_JAIL the rules stand without a root.

mod day;
mod hands;
mod restic;
mod row;
mod rows;
mod uploads;
