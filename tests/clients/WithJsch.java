import com.jcraft.jsch.ChannelSftp;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.Session;
import com.jcraft.jsch.SftpATTRS;
import com.jcraft.jsch.SftpException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Drives JSch as its arguments say: OP ARG... ; OP ARG... Answers end in NUL.
 *
 * <p>An OP with a - before it may fail: what was raised is told, and the next one follows.
 */
class WithJsch {
    private final ChannelSftp sftp;

    WithJsch(ChannelSftp sftp) {
        this.sftp = sftp;
    }

    /** A path as JSch reads it: it takes wildcards and backslashes for its own. */
    private static String quoted(String path) {
        return path.replaceAll("[\\\\*?]", "\\\\$0");
    }

    private List<String> play(String name, String a, String b) throws SftpException {
        switch (name) {
            case "put" -> sftp.put(quoted(a), quoted(b));
            case "get" -> sftp.get(quoted(a), b);
            case "resume-put" -> sftp.put(quoted(a), quoted(b), ChannelSftp.RESUME);
            case "resume-get" -> sftp.get(quoted(a), b, null, ChannelSftp.RESUME);
            case "append" -> sftp.put(quoted(a), quoted(b), ChannelSftp.APPEND);
            case "rename" -> sftp.rename(quoted(a), quoted(b));
            case "mkdir" -> sftp.mkdir(a);
            case "rmdir" -> sftp.rmdir(quoted(a));
            case "remove" -> sftp.rm(quoted(a));
            case "chmod" -> sftp.chmod(Integer.parseInt(a, 8), quoted(b));
            case "utime" -> sftp.setMtime(quoted(b), Integer.parseInt(a));
            case "symlink" -> sftp.symlink(a, b);
            case "link" -> sftp.hardlink(a, b);
            case "readlink" -> {
                return List.of(sftp.readlink(a));
            }
            case "stat" -> {
                SftpATTRS attrs = sftp.lstat(quoted(a));
                return List.of((attrs.isReg() ? "regular " : "other ") + attrs.getSize());
            }
            case "list" -> {
                List<String> names = new ArrayList<>();
                for (Object entry : sftp.ls(quoted(a))) {
                    String filename = ((ChannelSftp.LsEntry) entry).getFilename();
                    if (!filename.equals(".") && !filename.equals("..")) {
                        names.add(filename);
                    }
                }
                return names;
            }
            default -> throw new IllegalArgumentException(name);
        }
        return List.of();
    }

    public static void main(String[] args) throws Exception {
        JSch jsch = new JSch();
        jsch.setKnownHosts(System.getenv("HOME") + "/.ssh/known_hosts");
        jsch.addIdentity(System.getenv("HOME") + "/.ssh/id_ecdsa");
        Session session = jsch.getSession(
                System.getenv("SFTP_USER"), "127.0.0.1", Integer.parseInt(System.getenv("SFTP_PORT")));
        session.connect();
        ChannelSftp sftp = (ChannelSftp) session.openChannel("sftp");
        sftp.connect();
        WithJsch client = new WithJsch(sftp);
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        int status = 0;
        try {
            for (int start = 0, end; start < args.length; start = end + 1) {
                end = start;
                while (end < args.length && !args[end].equals(";")) {
                    end++;
                }
                String[] operation = Arrays.copyOf(Arrays.copyOfRange(args, start, end), 3);
                boolean mayFail = operation[0].startsWith("-");
                try {
                    String name = mayFail ? operation[0].substring(1) : operation[0];
                    for (String answer : client.play(name, operation[1], operation[2])) {
                        out.print(answer + "\0");
                    }
                } catch (SftpException error) {
                    System.err.println(String.join(" ", args) + ": " + error);
                    if (!mayFail) {
                        status = 1;
                        break;
                    }
                }
            }
        } finally {
            out.flush();
            session.disconnect();
        }
        System.exit(status);
    }
}
