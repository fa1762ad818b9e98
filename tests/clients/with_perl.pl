# Drives Net::SFTP::Foreign as its arguments say: OP ARG... ; OP ARG... Answers end in NUL.
# An OP with a - before it may fail: what was raised is told, and the next one follows.
use strict;
use warnings;
use Net::SFTP::Foreign;
use Net::SFTP::Foreign::Constants qw(:flags);

my $sftp = Net::SFTP::Foreign->new(
    host => 'server',
    more => ['-F', $ENV{SFTP_CONFIG}],
    fs_encoding => 'latin1',    # bytes, as the arguments are
    autodie => 1,
);

sub read_all {
    my ($path, $offset) = @_;
    open my $file, '<:raw', $path or die "$path: $!";
    seek $file, $offset, 0;
    local $/;
    return scalar <$file>;
}

my %operations = (
    put => sub { $sftp->put(@_, copy_perm => 0, copy_time => 0) },
    get => sub { $sftp->get(@_, copy_perm => 0, copy_time => 0) },
    'resume-put' => sub { $sftp->put(@_, resume => 1, copy_perm => 0, copy_time => 0) },
    'resume-get' => sub { $sftp->get(@_, resume => 1, copy_perm => 0, copy_time => 0) },
    append => sub {
        my ($local, $remote) = @_;
        my $handle = $sftp->open($remote, SSH2_FXF_WRITE | SSH2_FXF_APPEND);
        $sftp->write($handle, read_all($local, 0));
        $sftp->close($handle);
    },
    'put-tree' => sub { $sftp->rput(@_) },
    'get-tree' => sub { $sftp->rget(@_) },
    rename => sub { $sftp->rename(@_) },
    'posix-rename' => sub { $sftp->rename(@_, overwrite => 1) },
    mkdir => sub { $sftp->mkpath(@_) },
    rmdir => sub { $sftp->rmdir(@_) },
    rremove => sub { $sftp->rremove(@_) },
    remove => sub { $sftp->remove(@_) },
    chmod => sub { my ($mode, $path) = @_; $sftp->chmod($path, oct $mode) },
    utime => sub { my ($seconds, $path) = @_; $sftp->utime($path, $seconds + 86400, $seconds) },
    truncate => sub { my ($size, $path) = @_; $sftp->truncate($path, $size) },
    symlink => sub { my ($target, $path) = @_; $sftp->symlink($path, $target) },
    link => sub { my ($old, $new) = @_; $sftp->hardlink($new, $old) },
    readlink => sub { [$sftp->readlink(@_)] },
    stat => sub {
        my $attrs = $sftp->lstat(@_);
        my $kind = ($attrs->perm & 0170000) == 0100000 ? 'regular' : 'other';
        ["$kind " . $attrs->size];
    },
    list => sub { [grep { $_ ne '.' && $_ ne '..' } map { $_->{filename} } @{$sftp->ls(@_)}] },
);

my @script = ([]);
for (@ARGV) {
    if ($_ eq ';') { push @script, [] }
    else { push @{$script[-1]}, $_ }
}

binmode STDOUT;
for (@script) {
    my ($name, @arguments) = @$_;
    my $may_fail = $name =~ s/^-//;
    my $answers = eval { $operations{$name}->(@arguments) };
    if (my $error = $@) {
        die $error unless $may_fail;
        print STDERR "$name @arguments: $error\n";
    } elsif (ref $answers eq 'ARRAY') {
        print "$_\0" for @$answers;
    }
}
