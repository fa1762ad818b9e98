# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_sftp_server_global_optspecs
    string join \n d/start-directory= e/log-stderr f/log-facility= l/log-level= m/force-file-perms= P/deny-requests= p/allow-requests= Q/query= R/read-only root= bind= no-protect no-overwrite no-delete append-only drop-box hide= deny= file-mode= dir-mode= ignore-setstat= atomic-upload max-file-size= reserve-free= download-rate= upload-rate= idle-timeout= session-timeout= max-handles= keep-setuid config= no-config u/umask= sandbox= c/command= h help version
end

function __fish_sftp_server_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_sftp_server_global_optspecs) -- $cmd 2>/dev/null
    or argparse -s (__fish_sftp_server_global_optspecs) -- $cmd value 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_sftp_server_using_subcommand
    set -l cmd (__fish_sftp_server_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c sftp-server -n "__fish_sftp_server_needs_command" -s d -l start-directory -d 'Directory in which the session starts [tokens: %d and %h home, %u user, %U uid, %%; ~ and ~user]' -r -f -a "(__fish_complete_directories)"
complete -c sftp-server -n "__fish_sftp_server_needs_command" -s f -l log-facility -d 'Syslog facility [default: AUTH]' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -s l -l log-level -d 'What is logged: QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2 or DEBUG3 [default: ERROR]' -r -f -a "QUIET\t''
FATAL\t''
ERROR\t''
INFO\t''
VERBOSE\t''
DEBUG1\t''
DEBUG2\t''
DEBUG3\t''"
complete -c sftp-server -n "__fish_sftp_server_needs_command" -s m -l force-file-perms -d 'Exact mode of files that are created, octal, whatever client and umask say; directories are left alone' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -s P -l deny-requests -d 'Requests that are refused, separated by commas' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -s p -l allow-requests -d 'Requests that alone are allowed, separated by commas' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -s Q -l query -d 'Print what can be denied or allowed: `-Q requests`' -r -f -a "requests\t''"
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l root -d 'The client\'s /: it reaches this directory and nothing else [:ro: nothing in it changes; tokens as above]' -r -f -a "(__fish_complete_directories)"
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l bind -d 'Another directory, in the client\'s view at VIRTUAL; may be repeated [:ro: nothing in it changes; tokens as above]' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l hide -d 'What matches, and what lies beneath, does not exist for the client; may be repeated' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l deny -d 'What matches, and what lies beneath, may be neither read nor touched; may be repeated' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l file-mode -d 'Exact mode of files that are created, octal, whatever client, umask and default ACL say; a later chmod leaves it' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l dir-mode -d 'The same of directories' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l ignore-setstat -d 'Attributes that are not set, although the client is told so: size, perms, times, owner, separated by commas' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l max-file-size -d 'No file grows past this size [K, M, G, T; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l reserve-free -d 'So much of the file system stays free [K, M, G, T; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l download-rate -d 'So many bytes may be read in a second, over the whole session [K, M, G, T; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l upload-rate -d 'So many bytes may be written in a second, over the whole session [K, M, G, T; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l idle-timeout -d 'End a session from which no request came for so long, and that has none outstanding [s, m, h, d; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l session-timeout -d 'End a session so long after its start, whatever it does [s, m, h, d; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l max-handles -d 'So many files and directories may be open at once, and no more than RLIMIT_NOFILE leaves [0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l config -d 'Configuration file, in place of /etc/ssh/sftp_server.toml [tokens as above]' -r -F
complete -c sftp-server -n "__fish_sftp_server_needs_command" -s u -l umask -d 'Umask of the session, octal' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l sandbox -d 'Locks of the kernel: what it has, all or no session, or none [auto|require|off]' -r -f -a "auto\t''
require\t''
off\t''"
complete -c sftp-server -n "__fish_sftp_server_needs_command" -s c -l command -d 'As a login shell: the rest is what the client asked for, never options' -r
complete -c sftp-server -n "__fish_sftp_server_needs_command" -s e -l log-stderr -d 'Log to standard error instead of syslog'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -s R -l read-only -d 'Read-only: whatever would change something is refused'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l no-protect -d 'With --root: let the client change .ssh and the start files of shells, too'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l no-overwrite -d 'What exists keeps its content: no writing to it, no truncating, nothing put in its place; new files can be made'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l no-delete -d 'No name disappears or is replaced; what this session created may be removed and renamed'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l append-only -d 'Files grow at their end only; nothing is replaced, and removed or renamed only what this session created'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l drop-box -d 'Files and directories can be made and written; of what exists only directories are seen, without what others put into them'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l atomic-upload -d 'Files that are new or truncated are written unseen, and take their place when they are closed'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l keep-setuid -d 'With --root: leave the setuid, setgid and sticky bits that a client asks for on files'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l no-config -d 'Read no configuration file'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -s h -d 'Print a short usage to standard error and exit 1, as OpenSSH does'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l help -d 'Print this help'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -l version -d 'Print the version'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -f -a "check" -d 'Print the settings of a session, and what is wrong with this host'
complete -c sftp-server -n "__fish_sftp_server_needs_command" -f -a "explain" -d 'Tell what would become of a request in a fresh session'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -s d -l start-directory -d 'Directory in which the session starts [tokens: %d and %h home, %u user, %U uid, %%; ~ and ~user]' -r -f -a "(__fish_complete_directories)"
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -s f -l log-facility -d 'Syslog facility [default: AUTH]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -s l -l log-level -d 'What is logged: QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2 or DEBUG3 [default: ERROR]' -r -f -a "QUIET\t''
FATAL\t''
ERROR\t''
INFO\t''
VERBOSE\t''
DEBUG1\t''
DEBUG2\t''
DEBUG3\t''"
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -s m -l force-file-perms -d 'Exact mode of files that are created, octal, whatever client and umask say; directories are left alone' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -s P -l deny-requests -d 'Requests that are refused, separated by commas' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -s p -l allow-requests -d 'Requests that alone are allowed, separated by commas' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -s Q -l query -d 'Print what can be denied or allowed: `-Q requests`' -r -f -a "requests\t''"
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l root -d 'The client\'s /: it reaches this directory and nothing else [:ro: nothing in it changes; tokens as above]' -r -f -a "(__fish_complete_directories)"
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l bind -d 'Another directory, in the client\'s view at VIRTUAL; may be repeated [:ro: nothing in it changes; tokens as above]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l hide -d 'What matches, and what lies beneath, does not exist for the client; may be repeated' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l deny -d 'What matches, and what lies beneath, may be neither read nor touched; may be repeated' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l file-mode -d 'Exact mode of files that are created, octal, whatever client, umask and default ACL say; a later chmod leaves it' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l dir-mode -d 'The same of directories' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l ignore-setstat -d 'Attributes that are not set, although the client is told so: size, perms, times, owner, separated by commas' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l max-file-size -d 'No file grows past this size [K, M, G, T; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l reserve-free -d 'So much of the file system stays free [K, M, G, T; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l download-rate -d 'So many bytes may be read in a second, over the whole session [K, M, G, T; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l upload-rate -d 'So many bytes may be written in a second, over the whole session [K, M, G, T; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l idle-timeout -d 'End a session from which no request came for so long, and that has none outstanding [s, m, h, d; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l session-timeout -d 'End a session so long after its start, whatever it does [s, m, h, d; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l max-handles -d 'So many files and directories may be open at once, and no more than RLIMIT_NOFILE leaves [0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l config -d 'Configuration file, in place of /etc/ssh/sftp_server.toml [tokens as above]' -r -F
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -s u -l umask -d 'Umask of the session, octal' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l sandbox -d 'Locks of the kernel: what it has, all or no session, or none [auto|require|off]' -r -f -a "auto\t''
require\t''
off\t''"
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -s c -l command -d 'As a login shell: the rest is what the client asked for, never options' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l user -d 'Whose session it is about' -r -f -a "(__fish_complete_users)"
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l address -d 'From where the client would come' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -s e -l log-stderr -d 'Log to standard error instead of syslog'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -s R -l read-only -d 'Read-only: whatever would change something is refused'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l no-protect -d 'With --root: let the client change .ssh and the start files of shells, too'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l no-overwrite -d 'What exists keeps its content: no writing to it, no truncating, nothing put in its place; new files can be made'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l no-delete -d 'No name disappears or is replaced; what this session created may be removed and renamed'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l append-only -d 'Files grow at their end only; nothing is replaced, and removed or renamed only what this session created'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l drop-box -d 'Files and directories can be made and written; of what exists only directories are seen, without what others put into them'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l atomic-upload -d 'Files that are new or truncated are written unseen, and take their place when they are closed'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l keep-setuid -d 'With --root: leave the setuid, setgid and sticky bits that a client asks for on files'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l no-config -d 'Read no configuration file'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -s h -d 'Print a short usage to standard error and exit 1, as OpenSSH does'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l help -d 'Print this help'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l version -d 'Print the version'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand check" -l json -d 'Answer as one JSON object'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -s d -l start-directory -d 'Directory in which the session starts [tokens: %d and %h home, %u user, %U uid, %%; ~ and ~user]' -r -f -a "(__fish_complete_directories)"
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -s f -l log-facility -d 'Syslog facility [default: AUTH]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -s l -l log-level -d 'What is logged: QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2 or DEBUG3 [default: ERROR]' -r -f -a "QUIET\t''
FATAL\t''
ERROR\t''
INFO\t''
VERBOSE\t''
DEBUG1\t''
DEBUG2\t''
DEBUG3\t''"
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -s m -l force-file-perms -d 'Exact mode of files that are created, octal, whatever client and umask say; directories are left alone' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -s P -l deny-requests -d 'Requests that are refused, separated by commas' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -s p -l allow-requests -d 'Requests that alone are allowed, separated by commas' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -s Q -l query -d 'Print what can be denied or allowed: `-Q requests`' -r -f -a "requests\t''"
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l root -d 'The client\'s /: it reaches this directory and nothing else [:ro: nothing in it changes; tokens as above]' -r -f -a "(__fish_complete_directories)"
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l bind -d 'Another directory, in the client\'s view at VIRTUAL; may be repeated [:ro: nothing in it changes; tokens as above]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l hide -d 'What matches, and what lies beneath, does not exist for the client; may be repeated' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l deny -d 'What matches, and what lies beneath, may be neither read nor touched; may be repeated' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l file-mode -d 'Exact mode of files that are created, octal, whatever client, umask and default ACL say; a later chmod leaves it' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l dir-mode -d 'The same of directories' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l ignore-setstat -d 'Attributes that are not set, although the client is told so: size, perms, times, owner, separated by commas' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l max-file-size -d 'No file grows past this size [K, M, G, T; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l reserve-free -d 'So much of the file system stays free [K, M, G, T; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l download-rate -d 'So many bytes may be read in a second, over the whole session [K, M, G, T; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l upload-rate -d 'So many bytes may be written in a second, over the whole session [K, M, G, T; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l idle-timeout -d 'End a session from which no request came for so long, and that has none outstanding [s, m, h, d; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l session-timeout -d 'End a session so long after its start, whatever it does [s, m, h, d; 0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l max-handles -d 'So many files and directories may be open at once, and no more than RLIMIT_NOFILE leaves [0 and none: off]' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l config -d 'Configuration file, in place of /etc/ssh/sftp_server.toml [tokens as above]' -r -F
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -s u -l umask -d 'Umask of the session, octal' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l sandbox -d 'Locks of the kernel: what it has, all or no session, or none [auto|require|off]' -r -f -a "auto\t''
require\t''
off\t''"
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -s c -l command -d 'As a login shell: the rest is what the client asked for, never options' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l user -d 'Whose session it is about' -r -f -a "(__fish_complete_users)"
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l address -d 'From where the client would come' -r
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -s e -l log-stderr -d 'Log to standard error instead of syslog'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -s R -l read-only -d 'Read-only: whatever would change something is refused'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l no-protect -d 'With --root: let the client change .ssh and the start files of shells, too'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l no-overwrite -d 'What exists keeps its content: no writing to it, no truncating, nothing put in its place; new files can be made'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l no-delete -d 'No name disappears or is replaced; what this session created may be removed and renamed'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l append-only -d 'Files grow at their end only; nothing is replaced, and removed or renamed only what this session created'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l drop-box -d 'Files and directories can be made and written; of what exists only directories are seen, without what others put into them'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l atomic-upload -d 'Files that are new or truncated are written unseen, and take their place when they are closed'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l keep-setuid -d 'With --root: leave the setuid, setgid and sticky bits that a client asks for on files'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l no-config -d 'Read no configuration file'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -s h -d 'Print a short usage to standard error and exit 1, as OpenSSH does'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l help -d 'Print this help'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l version -d 'Print the version'
complete -c sftp-server -n "__fish_sftp_server_using_subcommand explain" -l json -d 'Answer as one JSON object'
