//! Files that are wrong, with what is said of each; and files that are right.

/// Files that are wrong, and what is said behind the path: line, column, key, what and why.
pub(crate) const BAD: &[(&str, &str)] = &[
    // Keys.
    (
        "read-onyl = true",
        "1:1: read-onyl: unknown key; is read-only meant?",
    ),
    (
        "\n\n  read_only = true",
        "3:3: read_only: unknown key; is read-only meant?",
    ),
    (
        "R = true",
        "1:1: R: unknown key; man 5 sftp_server.toml lists all",
    ),
    (
        "xyzzy = 1",
        "1:1: xyzzy: unknown key; man 5 sftp_server.toml lists all",
    ),
    (
        "Umask = \"022\"",
        "1:1: Umask: unknown key; is umask meant?",
    ),
    (
        "hidden = [\"x\"]",
        "1:1: hidden: unknown key; is hide meant?",
    ),
    (
        "\"\" = 1",
        "1:1: : unknown key; man 5 sftp_server.toml lists all",
    ),
    (
        "# Über\n[roots]\nx = 1",
        "2:2: roots: unknown key; is root meant?",
    ),
    // What only a command line can say.
    (
        "config = \"/x\"",
        "1:1: config: only a command line can say it",
    ),
    (
        "no-config = true",
        "1:1: no-config: only a command line can say it",
    ),
    (
        "command = \"x\"",
        "1:1: command: only a command line can say it",
    ),
    (
        "query = \"requests\"",
        "1:1: query: only a command line can say it",
    ),
    ("help = true", "1:1: help: only a command line can say it"),
    (
        "version = true",
        "1:1: version: only a command line can say it",
    ),
    // A criterion outside of a table, and tables of other names.
    (
        "user = \"anna\"",
        "1:1: user: it stands behind a line [[match]]",
    ),
    (
        "[anna]\nread-only = true",
        "1:2: anna: unknown key; man 5 sftp_server.toml lists all",
    ),
    (
        "[[Match]]\nread-only = true",
        "1:3: Match: a table for some of the users begins with a line [[match]]",
    ),
    // Types.
    (
        "read-only = \"yes\"",
        "1:13: read-only: it takes true or false, and not a string",
    ),
    (
        "root = 5",
        "1:8: root: it takes a string, and not an integer",
    ),
    (
        "log-level = 3",
        "1:13: log-level: it takes a string, and not an integer",
    ),
    (
        "hide = [1, 2]",
        "1:9: hide: it takes a list of strings, and not an integer",
    ),
    (
        "deny = 7",
        "1:8: deny: it takes a list of strings, and not an integer",
    ),
    (
        "deny-requests = [\"SETSTAT\"]",
        "1:17: deny-requests: there is no request \"SETSTAT\"; is setstat meant?",
    ),
    (
        "deny-requests = \"remove,,rename\"",
        "1:17: deny-requests: there is no request \"\"; sftp-server -Q requests prints them",
    ),
    (
        "[[match]]\nuser = \"nobody-at-all\"\nallow-requests = [\"xyzzy\"]",
        "3:18: allow-requests: there is no request \"xyzzy\"; sftp-server -Q requests prints them",
    ),
    (
        "read-only = 1",
        "1:13: read-only: it takes true or false, and not an integer",
    ),
    (
        "no-delete = [true]",
        "1:13: no-delete: it takes true or false, and not a list",
    ),
    (
        "root = true",
        "1:8: root: it takes a string, and not true or false",
    ),
    (
        "root = [\"/srv\"]",
        "1:8: root: it takes a string, and not a list",
    ),
    (
        "umask = [\"022\", \"077\"]",
        "1:9: umask: it takes a string or an integer, and not a list",
    ),
    (
        "max-file-size = 1.5",
        "1:17: max-file-size: it takes a string or an integer, and not a number with a fraction; write it in quotes",
    ),
    (
        "umask = 2026-11-21",
        "1:9: umask: it takes a string or an integer, and not a date",
    ),
    (
        "sandbox = { mode = \"auto\" }",
        "1:11: sandbox: it takes a string, and not a table",
    ),
    (
        "hide = [\"a\", true]",
        "1:14: hide: it takes a list of strings, and not true or false",
    ),
    (
        "hide = [[\"a\"]]",
        "1:9: hide: it takes a list of strings, and not a list",
    ),
    (
        "deny-requests = false",
        "1:17: deny-requests: it takes a list of strings, and not true or false",
    ),
    (
        "root = \"/a\\u0000b\"",
        "1:8: root: it has a NUL byte in it",
    ),
    // Values, in the words of the flag.
    (
        "umask = \"9\"",
        "1:9: umask: Invalid umask \"9\"; it is octal, 0 to 0777, as in \"027\"",
    ),
    (
        "umask = 0x12",
        "1:9: umask: Invalid umask \"0x12\"; it is octal, 0 to 0777, as in \"027\"",
    ),
    (
        "force-file-perms = \"rw\"",
        "1:20: force-file-perms: Invalid file mode \"rw\"; it is octal, 0 to 0777, as in \"0640\"",
    ),
    (
        "file-mode = \"0999\"",
        "1:13: file-mode: Invalid --file-mode \"0999\": a mode is octal, as in 0640",
    ),
    (
        "file-mode = 0o2640",
        "1:13: file-mode: Invalid --file-mode \"02640\": bits above 0777 need --keep-setuid",
    ),
    (
        "max-file-size = \"10MB\"",
        "1:17: max-file-size: Invalid --max-file-size \"10MB\": a size is a number and K, M, G or T, as in 10M or 1.5G; 0 and none are off",
    ),
    (
        "max-file-size = -1",
        "1:17: max-file-size: Invalid --max-file-size \"-1\": a size is a number and K, M, G or T, as in 10M or 1.5G; 0 and none are off",
    ),
    (
        "root = \"\"",
        "1:8: root: Invalid --root \"\": it names no directory",
    ),
    (
        "max-file-size = \"0.5\"",
        "1:17: max-file-size: Invalid --max-file-size \"0.5\": less than one byte; 0 and none are off",
    ),
    (
        "log-level = \"LOUD\"",
        "1:13: log-level: Invalid log level \"LOUD\"; it is QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2 or DEBUG3",
    ),
    (
        "log-facility = \"MAIL\"",
        "1:16: log-facility: Invalid log facility \"MAIL\"; it is DAEMON, USER, AUTH, AUTHPRIV, or LOCAL0 to LOCAL7",
    ),
    (
        "sandbox = \"on\"",
        "1:11: sandbox: invalid value 'on' for '--sandbox <MODE>': it is auto, require or off",
    ),
    (
        "ignore-setstat = [\"times\", \"name\"]",
        "1:18: ignore-setstat: Invalid --ignore-setstat \"times,name\": it lists size, perms, times and owner, separated by commas",
    ),
    (
        "root = \"%x\"",
        "1:8: root: Invalid --root \"%x\": unknown token; %d, %h, %u, %U and %% are known",
    ),
    (
        "root = \"/srv\"\nbind = [\"/a=/srv\", \"b=/srv\"]",
        "2:8: bind: Invalid --bind \"b=/srv\": the place in the view begins with a slash",
    ),
    (
        "bind = \"/a=/srv\"",
        "1:8: bind: --bind needs --root: without it the client sees the whole host; add --root DIR, or leave out --bind",
    ),
    (
        "start-directory = \"~nobody-has-this-name\"",
        "1:19: start-directory: Invalid start directory \"~nobody-has-this-name\": no such user",
    ),
    // A value makes no second line.
    ("umask = \"a\\nb\\u001b\"", "1:9: umask: Invalid umask \"a"),
    // TOML.
    (
        "read-only",
        "1:10: a line is KEY = VALUE, as in read-only = true; a comment begins with #",
    ),
    (
        "read-only: true",
        "1:10: a line is KEY = VALUE, as in read-only = true; a comment begins with #",
    ),
    (
        "Match User anna",
        "1:7: a table for some of the users begins with a line [[match]]; user, group and address are keys of it",
    ),
    (
        "read-only = yes",
        "1:13: read-only: it takes true or false, in lower case and alone",
    ),
    (
        "read-only = True",
        "1:13: read-only: it takes true or false, in lower case and alone",
    ),
    (
        "max-file-size = 10M",
        "1:17: max-file-size: a value that is no number stands in straight quotes, as in \"10M\"",
    ),
    (
        "root = \u{201c}/srv\u{201d}",
        "1:8: root: a value that is no number stands in straight quotes, as in \"10M\"",
    ),
    (
        "hide = \"a\", \"b\"",
        "1:11: hide: behind the value nothing can follow; a list is written [\"a\", \"b\"]",
    ),
    (
        "[[match]]\nuser = \"a\", \"b\"",
        "2:11: user: behind the value nothing can follow; a list is written [\"a\", \"b\"]",
    ),
    (
        "umask = 27 # right\nsandbox = \"off\" auto",
        "2:17: sandbox: behind the value nothing can follow but a comment",
    ),
    (
        "root = \"C:\\x\"",
        "1:13: root: a backslash in double quotes begins an escape; in single quotes it is itself",
    ),
    (
        "umask = 022",
        "1:9: umask: a number has no zero in front; a mode is written \"022\" or 0o022",
    ),
    (
        "umask = \"022\"\n# x\numask = \"077\"",
        "3:1: umask: it stands in line 1 already; remove one of them",
    ),
    (
        "umask = 1\n[[match]]\numask = 2\n[[match]]\numask = 3\numask = 4",
        "6:1: umask: it stands in line 5 already; remove one of them",
    ),
    (
        "root = \"/srv",
        "1:13: root: the string does not end, or has a control character in it",
    ),
    // Of two mistakes the first one.
    (
        "root = \"/srv\n\"",
        "1:13: root: the string does not end, or has a control character in it",
    ),
    (
        "[[match]\n",
        "1:9: the line lacks a bracket; it is written [[match]]",
    ),
    // [[match]]
    (
        "[match]\nread-only = true",
        "1:2: match: a table for some of the users begins with a line [[match]]",
    ),
    (
        "match = [1]",
        "1:1: match: a table for some of the users begins with a line [[match]]",
    ),
    (
        "[[match]]\nusers = \"anna\"",
        "2:1: users: unknown key; is user meant?",
    ),
    (
        "[[match]]\nuser = 1000",
        "2:8: user: it takes a list of strings, and not an integer",
    ),
    (
        "[[match]]\ngroup = [\"a\", true]",
        "2:15: group: it takes a list of strings, and not true or false",
    ),
    (
        "[[match]]\nuser = [\"a\", \"\"]",
        "2:14: user: \"\": an empty pattern",
    ),
    (
        "[[match]]\nuser = \"!\"",
        "2:8: user: \"!\": an empty pattern",
    ),
    (
        "[[match]]\naddress = \"192.0.2.0/33\"",
        "2:11: address: \"192.0.2.0/33\": the length of the network is a number from 0 to 32, as in 192.0.2.0/32",
    ),
    (
        "[[match]]\naddress = \"192.0.2.0/+8\"",
        "2:11: address: \"192.0.2.0/+8\": the length of the network is a number from 0 to 32, as in 192.0.2.0/32",
    ),
    (
        "[[match]]\naddress = \"192.0.2.1/24\"",
        "2:11: address: \"192.0.2.1/24\": bits are set behind the network's length; is 192.0.2.0/24 meant?",
    ),
    (
        "[[match]]\naddress = \"2001:db8::1/64\"",
        "2:11: address: \"2001:db8::1/64\": bits are set behind the network's length; is 2001:db8::/64 meant?",
    ),
    (
        "[[match]]\naddress = \"localhost\"",
        "2:11: address: \"localhost\": no address, no network (as in 192.0.2.0/24), and no pattern",
    ),
    (
        "[[match]]\naddress = \"*.example.org\"",
        "2:11: address: \"*.example.org\": an address is meant, and not a name of a host",
    ),
    // A table that is for somebody else is read all the same.
    (
        "[[match]]\nuser = \"nobody-has-this-name\"\numask = \"9\"",
        "3:9: umask: Invalid umask \"9\"; it is octal, 0 to 0777, as in \"027\"",
    ),
    (
        "umask = \"022\"\n[[match]]\nuser = \"nobody-has-this-name\"\nsandbox = \"on\"",
        "4:11: sandbox: invalid value 'on' for '--sandbox <MODE>': it is auto, require or off",
    ),
    (
        "max-file-size = \"x\"\n[[match]]\nmax-file-size = \"1M\"",
        "1:17: max-file-size: Invalid --max-file-size \"x\": a size is a number and K, M, G or T, as in 10M or 1.5G; 0 and none are off",
    ),
];

/// Files that are right.
pub(crate) const GOOD: &[&str] = &[
    "",
    "# nothing\n",
    "read-only = true",
    "read-only = false",
    "umask = \"027\"",
    "umask = 0o27",
    "umask = 27",
    "file-mode = 640",
    "file-mode = 0o640\r\ndir-mode = '0750'",
    "file-mode = \"02640\"\nkeep-setuid = true",
    "max-file-size = 4096\nreserve-free = \"1.5G\"",
    "max-file-size = \"none\"",
    "max-file-size = 0x1000\nreserve-free = +4_096\nidle-timeout = 0o17",
    "\u{feff}read-only = true",
    "\tread-only\t=\ttrue\t# x\r\n",
    "deny-requests = []",
    "deny-requests = \"rename, posix-rename\"",
    "deny-requests = [\"rename\", \"posix-rename,remove\"]",
    "hide = []\ndeny = \"*.key, *.pem\"",
    "ignore-setstat = \"times,perms\"",
    "root = \"/srv\"\nbind = \"/a=/usr, /b=/usr:ro\"",
    "sandbox = \"off\"",
    "log-stderr = true\nlog-level = \"info\"",
    "[[match]]\n",
    "match = []",
    "match = [{ user = \"x\", read-only = true }, {}]",
    "[[match]]\naddress = [\"192.0.2.0/24\", \"!192.0.2.7\", \"2001:db8::/32\", \"10.*\", \"::ffff:0:0/96\"]",
    // What a table lacks may stand in another one.
    "root = \"/srv\"\n[[match]]\nuser = \"nobody-has-this-name\"\nbind = \"/a=/usr\"",
    "[[match]]\nuser = \"nobody-*\"\nroot = \"/srv\"\n[[match]]\nuser = \"nobody-has-this-name\"\nbind = \"/a=/usr\"",
];
