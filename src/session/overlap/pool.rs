//! Threads for what may wait for a disk, a network or a daemon. They start when there is work for them, and stay.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What a thread is to do.
pub type Task = Box<dyn FnOnce() + Send>;

/// The threads, and what waits for one of them.
#[derive(Default)]
pub struct Pool {
    shared: Arc<Shared>,
    threads: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    /// Threads that wait for tasks.
    idle: usize,
    /// Whether no task is begun any more.
    shut: bool,
}

impl Pool {
    /// Has a thread do `task`; nobody does it after [`Pool::shut`].
    ///
    /// # Errors
    /// The task, where there is no thread and none can be started: the user has too many, or the locks allow none.
    pub fn run(&mut self, task: Task) -> Result<(), Task> {
        let mut queue = self.shared.lock();
        if queue.shut {
            return Ok(());
        }
        if queue.idle <= queue.tasks.len() && self.threads < MOST {
            let shared = Arc::clone(&self.shared);
            let thread = thread::Builder::new().stack_size(STACK);
            match thread.spawn(move || shared.work()) {
                // It runs by itself, to the end of the process.
                Ok(_) => self.threads += 1,
                Err(_) if self.threads == 0 => return Err(task),
                Err(_) => {}
            }
        }
        queue.tasks.push_back(task);
        drop(queue);
        self.shared.more.notify_one();
        Ok(())
    }

    /// Drops what no thread has begun, and what will be asked for.
    pub fn shut(&mut self) {
        let mut queue = self.shared.lock();
        queue.shut = true;
        let dropped = std::mem::take(&mut queue.tasks);
        drop(queue);
        // It may close files.
        drop(dropped);
    }
}

impl Shared {
    fn work(&self) {
        loop {
            let task = self.next();
            task();
        }
    }

    fn next(&self) -> Task {
        let mut queue = self.lock();
        loop {
            if let Some(task) = queue.tasks.pop_front() {
                return task;
            }
            queue.idle += 1;
            queue = self
                .more
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No task runs while it is locked.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool of {} threads", self.threads)
    }
}

/// So many requests wait for storage at the same time.
const MOST: usize = 64;
/// Bytes: a listing reads 32 KiB of names onto it, and modules of the name service do what they like. What is not used takes no memory.
const STACK: usize = 1024 * 1024;
