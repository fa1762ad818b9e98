#!/usr/bin/env escript
%% Drives Erlang's ssh_sftp as its arguments say: OP ARG... ; OP ARG... Answers end in NUL.
%% An OP with a - before it may fail: what was raised is told, and the next one follows.
-include_lib("kernel/include/file.hrl").

main(Arguments) ->
    ok = io:setopts([{encoding, unicode}]),
    % What it logs goes where answers go.
    ok = logger:set_primary_config(level, error),
    {ok, _} = application:ensure_all_started(ssh),
    {ok, Connection} = ssh:connect("127.0.0.1", list_to_integer(os:getenv("SFTP_PORT")), [
        {user, os:getenv("SFTP_USER")},
        {user_dir, filename:join(os:getenv("HOME"), ".ssh")},
        {auth_methods, "publickey"},
        {silently_accept_hosts, false},
        {user_interaction, false}
    ]),
    {ok, Channel} = ssh_sftp:start_channel(Connection),
    lists:foreach(fun([Name | Rest]) -> play(Channel, Name, Rest) end, operations(Arguments)),
    ok = ssh:close(Connection).

operations(Arguments) ->
    case lists:splitwith(fun(Argument) -> Argument =/= ";" end, Arguments) of
        {Last, []} -> [Last];
        {One, [_ | More]} -> [One | operations(More)]
    end.

play(Channel, "-" ++ Name, Rest) ->
    try
        play(Channel, Name, Rest)
    catch
        % Its reasons are words with underscores between them.
        error:Reason ->
            Said = string:replace(io_lib:format("~tp", [Reason]), "_", " ", all),
            io:format(standard_error, "~ts ~tp: ~ts~n", [Name, Rest, Said])
    end;
play(Channel, Name, Rest) ->
    case operation(Channel, Name, Rest) of
        ok -> ok;
        {answers, Answers} -> [io:format("~ts\0", [Answer]) || Answer <- Answers]
    end.

operation(S, "put", [Local, Remote]) ->
    {ok, Bytes} = file:read_file(Local),
    ok = ssh_sftp:write_file(S, Remote, Bytes);
operation(S, "get", [Remote, Local]) ->
    {ok, Bytes} = ssh_sftp:read_file(S, Remote),
    ok = file:write_file(Local, Bytes);
operation(S, "resume-put", [Local, Remote]) ->
    {ok, #file_info{size = There}} = ssh_sftp:read_file_info(S, Remote),
    {ok, <<_:There/binary, Rest/binary>>} = file:read_file(Local),
    {ok, Handle} = ssh_sftp:open(S, Remote, [read, write, binary]),
    {ok, There} = ssh_sftp:position(S, Handle, There),
    ok = write(S, Handle, Rest),
    ok = ssh_sftp:close(S, Handle);
operation(S, "resume-get", [Remote, Local]) ->
    Here = filelib:file_size(Local),
    {ok, #file_info{size = There}} = ssh_sftp:read_file_info(S, Remote),
    {ok, Handle} = ssh_sftp:open(S, Remote, [read, binary]),
    {ok, Here} = ssh_sftp:position(S, Handle, Here),
    ok = file:write_file(Local, pieces(S, Handle, There - Here), [append]),
    ok = ssh_sftp:close(S, Handle);
operation(S, "append", [Local, Remote]) ->
    {ok, Bytes} = file:read_file(Local),
    {ok, Handle} = ssh_sftp:open(S, Remote, [append, binary]),
    ok = write(S, Handle, Bytes),
    ok = ssh_sftp:close(S, Handle);
operation(S, "put-tree", [Local, Remote]) ->
    ok = ssh_sftp:make_dir(S, Remote),
    {ok, Names} = file:list_dir(Local),
    lists:foreach(fun(Name) -> put_tree(S, filename:join(Local, Name), Remote ++ "/" ++ Name) end, Names);
operation(S, "rename", [Old, New]) ->
    ok = ssh_sftp:rename(S, Old, New);
operation(S, "mkdir", [Path]) ->
    ok = ssh_sftp:make_dir(S, Path);
operation(S, "rmdir", [Path]) ->
    ok = ssh_sftp:del_dir(S, Path);
operation(S, "remove", [Path]) ->
    ok = ssh_sftp:delete(S, Path);
operation(S, "chmod", [Mode, Path]) ->
    ok = ssh_sftp:write_file_info(S, Path, #file_info{mode = list_to_integer(Mode, 8)});
operation(S, "utime", [Seconds, Path]) ->
    % Its times are those of the calendar here.
    Time = fun(Since) -> calendar:system_time_to_local_time(Since, second) end,
    At = list_to_integer(Seconds),
    ok = ssh_sftp:write_file_info(S, Path, #file_info{mtime = Time(At), atime = Time(At + 86400)});
operation(S, "symlink", [Target, Path]) ->
    ok = ssh_sftp:make_symlink(S, Path, Target);
operation(S, "readlink", [Path]) ->
    {ok, Target} = ssh_sftp:read_link(S, Path),
    {answers, [Target]};
operation(S, "stat", [Path]) ->
    {ok, #file_info{type = Type, size = Size}} = ssh_sftp:read_file_info(S, Path),
    {answers, [io_lib:format("~s ~b", [Type, Size])]};
operation(S, "list", [Path]) ->
    {ok, Names} = ssh_sftp:list_dir(S, Path),
    {answers, [Name || Name <- Names, Name =/= ".", Name =/= ".."]}.

put_tree(S, Local, Remote) ->
    Operation = case filelib:is_dir(Local) of true -> "put-tree"; false -> "put" end,
    ok = operation(S, Operation, [Local, Remote]).

% Whatever length it is given becomes one request, and OpenSSH's server, as ours, leaves at one of more than 256 KiB.
write(S, Handle, <<Piece:32768/binary, Rest/binary>>) ->
    ok = ssh_sftp:write(S, Handle, Piece),
    write(S, Handle, Rest);
write(S, Handle, Rest) ->
    ssh_sftp:write(S, Handle, Rest).

% The next read begins behind what was asked for, however short the answer was: more than an answer holds would leave gaps.
pieces(_, _, 0) ->
    [];
pieces(S, Handle, Left) ->
    {ok, Piece} = ssh_sftp:read(S, Handle, min(Left, 32768)),
    [Piece | pieces(S, Handle, Left - byte_size(Piece))].
