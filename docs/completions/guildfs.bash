# Completion of guildfs, made by "guildfs completion bash".
_guildfs_offer() {
    case "$1" in
    ROLE) echo 'member admin owner' ;;
    STATUS) echo 'active suspended' ;;
    SHELL) echo 'bash zsh' ;;
    SUBJECT) echo 'user: group: team: organization: everyone' ;;
    KEY=VALUE) echo 'overwrite=delete overwrite=upload grace= quota= state=active state=archived data=revocable data=fast audit=none audit=changes audit=all on_revoke=poison on_revoke=kill title= owner=' ;;
    PERMS) echo 'view download upload rename delete make-folder viewer reader contributor editor dropbox' ;;
    KIND) echo 'files volume database image capsule' ;;
    OP) echo 'stat list readlink listxattr statfs open-read getxattr open-write open-read-write truncate fallocate setxattr removexattr chmod utimens create tmpfile symlink mkdir unlink rmdir rename move-out move-in-file move-in-folder replace save exchange link lock-shared lock-exclusive chown mknod' ;;
    USER) guildfs ${2:+--store "$2"} user list 2>/dev/null | sed -e 1d -e 's/  .*//' ;;
    GROUP) guildfs ${2:+--store "$2"} group list 2>/dev/null | sed -e 1d -e 's/  .*//' ;;
    SHARE) guildfs ${2:+--store "$2"} share list 2>/dev/null | sed -e 1d -e 's/  .*//' ;;
    esac
}
_guildfs_options() {
    case "$1" in
    'user add') echo ' --uid --gid' ;;
    'user set') echo ' --uid --gid --status' ;;
    'member add') echo ' --role --until' ;;
    'share add') echo ' --node --in --group --kind --owner --set' ;;
    'share adopt') echo ' --name --in --group --kind --owner --set' ;;
    'grant') echo ' --until' ;;
    'check') echo ' --to --explain --batch' ;;
    'audit') echo ' --user --share --path --operation --denied --since --until --limit --files-only --store-only' ;;
    'mount') echo ' -o -f' ;;
    'umount') echo ' --lazy --force' ;;
    esac
    echo ' --store --json --as --wait --help --version'
}
_guildfs_value() {
    case "$2" in
    --store) echo 'DIR'; return ;;
    --as) echo 'USER'; return ;;
    esac
    case "$1 $2" in
    'user add --uid') echo 'N' ;;
    'user add --gid') echo 'N' ;;
    'user set --uid') echo 'N' ;;
    'user set --gid') echo 'N' ;;
    'user set --status') echo 'STATUS' ;;
    'member add --role') echo 'ROLE' ;;
    'member add --until') echo 'TIME' ;;
    'share add --node') echo 'NODE' ;;
    'share add --in') echo 'PATH' ;;
    'share add --group') echo 'GROUP' ;;
    'share add --kind') echo 'KIND' ;;
    'share add --owner') echo 'USER' ;;
    'share add --set') echo 'KEY=VALUE' ;;
    'share adopt --name') echo 'NAME' ;;
    'share adopt --in') echo 'SHARE' ;;
    'share adopt --group') echo 'GROUP' ;;
    'share adopt --kind') echo 'KIND' ;;
    'share adopt --owner') echo 'USER' ;;
    'share adopt --set') echo 'KEY=VALUE' ;;
    'grant --until') echo 'TIME' ;;
    'check --to') echo 'PATH' ;;
    'check --batch') echo 'FILE' ;;
    'audit --user') echo 'USER' ;;
    'audit --share') echo 'SHARE' ;;
    'audit --path') echo 'PATH' ;;
    'audit --operation') echo 'OP' ;;
    'audit --since') echo 'TIME' ;;
    'audit --until') echo 'TIME' ;;
    'audit --limit') echo 'N' ;;
    'mount -o') echo 'OPTIONS' ;;
    esac
}
_guildfs_arguments() {
    case "$1" in
    'init') echo 'STORE' ;;
    'user add') echo 'NAME' ;;
    'user show') echo 'USER' ;;
    'user set') echo 'USER' ;;
    'group add') echo 'NAME' ;;
    'group show') echo 'GROUP' ;;
    'member add') echo 'GROUP USER' ;;
    'member remove') echo 'GROUP USER' ;;
    'member list') echo 'GROUP' ;;
    'share add') echo 'NAME' ;;
    'share adopt') echo 'DIRECTORY' ;;
    'share show') echo 'SHARE' ;;
    'share set') echo 'SHARE KEY=VALUE' ;;
    'grant') echo 'SUBJECT SHARE PERMS' ;;
    'revoke') echo 'SUBJECT SHARE PERMS' ;;
    'check') echo 'USER OP PATH' ;;
    'who') echo 'PATH' ;;
    'mount') echo 'STORE DIR' ;;
    'umount') echo 'DIR' ;;
    'status') echo 'DIR' ;;
    'completion') echo 'SHELL' ;;
    esac
}
_guildfs_verbs() {
    case "$1" in
    user) echo 'add list show set' ;;
    group) echo 'add list show' ;;
    member) echo 'add remove list' ;;
    share) echo 'add adopt list show set' ;;
    esac
}
_guildfs_nouns='init user group member share grant revoke check who audit mount umount status completion'
_guildfs_walk() {
    _guildfs_store='' _guildfs_command='' _guildfs_want='' _guildfs_choice=''
    local position=0 word value previous='' verbs
    for word in "$@"; do
        if [ -n "$previous" ]; then
            [ "$previous" = --store ] && _guildfs_store=$word
            previous=''
            continue
        fi
        case "$word" in
        -*)
            value=$(_guildfs_value "$_guildfs_command" "$word")
            [ -n "$value" ] && previous=$word
            continue ;;
        esac
        verbs=$(_guildfs_verbs "$_guildfs_command")
        if [ -z "$_guildfs_command" ]; then _guildfs_command=$word
        elif [ -n "$verbs" ]; then _guildfs_command="$_guildfs_command $word"
        else position=$((position + 1))
        fi
    done
    verbs=$(_guildfs_verbs "$_guildfs_command")
    if [ -n "$previous" ]; then _guildfs_want=$(_guildfs_value "$_guildfs_command" "$previous")
    elif [ -z "$_guildfs_command" ]; then _guildfs_want=words _guildfs_choice=$_guildfs_nouns
    elif [ -n "$verbs" ]; then _guildfs_want=words _guildfs_choice=$verbs
    else
        for word in $(_guildfs_arguments "$_guildfs_command" | tr ' ' '\n'); do
            [ "$position" -ge 0 ] && _guildfs_want=$word
            position=$((position - 1))
        done
        [ "$position" -lt 0 ] || [ "$_guildfs_want" = KEY=VALUE ] || _guildfs_want=''
    fi
}
_guildfs() {
    local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} words cur offer=''
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    cur=${words[-1]}
    _guildfs_walk "${words[@]:1:${#words[@]}-2}"
    case "$cur" in
    -*) offer=$(_guildfs_options "$_guildfs_command") ;;
    *)
        case "$_guildfs_want" in
        words) offer=$_guildfs_choice ;;
        DIR|STORE|DIRECTORY|FILE)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return ;;
        *) offer=$(_guildfs_offer "$_guildfs_want" "$_guildfs_store") ;;
        esac ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$offer" -- "$cur")
    case "$cur" in
    *[:=]*) COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*[:=]}"}"}") ;;
    esac
}
complete -F _guildfs guildfs
