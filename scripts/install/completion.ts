// Completion of the command line in bash, made from its tables.

import { OPTION_NAMES } from '#dist/admin/arguments.js';
import { LOCAL_COMMANDS } from '#dist/admin/help.js';
import { API } from '#dist/api/commands/index.js';
import type { ApiCommand } from '#dist/api/table.js';

/** The file for bash-completion. Names of commands and parameters are letters and digits. */
export function bashCompletion(): string {
  const api = Object.entries<ApiCommand>(API);
  const commands = [...api.map(([name]) => name), ...Object.keys(LOCAL_COMMANDS), 'help'].sort();
  const params = api
    .filter(([, { params }]) => Object.keys(params).length > 0)
    .map(([name, { params }]) => `    ${name}) words='${Object.keys(params).join('= ')}=' ;;`);
  const flags = new Set(
    api.flatMap(([, { params }]) =>
      Object.entries(params).flatMap(([name, { type }]) => (type === 'boolean' ? [name] : [])),
    ),
  );
  return `# Completion of muster in bash, made from the table of its commands.
_muster() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} key='' command='' words='' index
  COMPREPLY=()
  # "=" stands as a word of its own between a key and its value.
  if [ "$cur" = = ]; then key=$prev cur=''
  elif [ "$prev" = = ]; then key=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  case $key in
    '') ;;
    ${[...flags].sort().join('|')}) COMPREPLY=($(compgen -W 'true false' -- "$cur")); return ;;
    *) return ;;
  esac
  case $prev in
    -o|--output) COMPREPLY=($(compgen -W 'table json' -- "$cur")); return ;;
    --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); compopt -o filenames 2>/dev/null; return ;;
    --endpoint) return ;;
  esac
  if [[ $cur = -* ]]; then
    COMPREPLY=($(compgen -W '${OPTION_NAMES.join(' ')}' -- "$cur"))
    return
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    case \${COMP_WORDS[index]} in
      -o|--output|--config|--endpoint) index=$((index + 1)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[index]}; break ;;
    esac
  done
  case $command in
    ''|help) COMPREPLY=($(compgen -W '${commands.join(' ')}' -- "$cur")); return ;;
    doctor|backup) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); compopt -o filenames 2>/dev/null; return ;;
${params.join('\n')}
  esac
  compopt -o nospace 2>/dev/null
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _muster muster
`;
}
