# fish completion for reftable-inspector, git-reftable and git reftable.

function __reftable_inspector_complete
    set -l token (commandline -ct)
    set -l program (commandline -opc)[1]
    string match -q -r '(^|/)git$' -- $program && set program git-reftable
    for answer in (_REFTABLE_INSPECTOR_COMPLETE=fish COMP_WORDS=(commandline -cp | string collect) \
            COMP_CWORD="$token" $program 2>/dev/null)
        set -l fields (string split \t -- $answer)
        switch $fields[1]
            case dir
                __fish_complete_directories "$token" ''
            case plain part
                printf '%s\t%s\n' "$fields[2]" "$fields[3]"
        end
    end
end

complete --command reftable-inspector --no-files --arguments '(__reftable_inspector_complete)'
complete --command git-reftable --no-files --arguments '(__reftable_inspector_complete)'
# Before fish 4, its completion of git does not find those of other programs.
complete --command git --condition '__fish_git_using_command reftable' --no-files \
    --arguments '(__reftable_inspector_complete)'
