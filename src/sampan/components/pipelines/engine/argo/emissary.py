"""The shell around a step's program: what Argo's emissary does within the container, by any POSIX shell.

It keeps what the program prints where something reads that, waits in a container set for the containers before it, and
copies the files that the template names as outputs into the step's folder, whatever file system they lay in. The
program's exit code stays its own. Where a template asks for nothing of that, its program runs bare. Folders of outputs
are the program's to make, as with Argo; those below /tmp/outputs, where kfp 1.8 has them, are there already, because
its components are also written for its launcher, which made them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# $1: lines of "from<TAB>to"; $2: where to keep what is printed, or empty; $3: folder of a container set's exit codes,
# or empty; $4: the containers to wait for; $5: this container's name in the set; $6: tries more, and
# seconds for them; $7: the containers whose end comes before the outputs are read.
_PROGRAM = """\
outputs=$1 printed=$2 set=$3 after=$4 name=$5 tries=$6 others=$7; shift 7
start=$PWD; [ "$start" = / ] && start=
code=0 child=
for one in $after; do
  while [ ! -e "$set/$one" ]; do sleep 0.05; done
  [ "`cat "$set/$one"`" = 0 ] || code=64
done
stop() { [ -n "$child" ] && kill -TERM "$child" 2>/dev/null; }
trap stop TERM INT
once() {
  if [ -n "$printed" ]; then
    rm -f "$printed.pipe"; mkfifo "$printed.pipe"
    tee "$printed" < "$printed.pipe" & tee=$!
    "$@" <&3 > "$printed.pipe" & child=$!
  else
    "$@" <&3 & child=$!
  fi
  wait "$child"; code=$?
  while [ $code -gt 128 ] && kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
  child=
  [ -n "$printed" ] && { wait "$tee"; rm -f "$printed.pipe"; }
}
exec 3<&0
printf '%s\\n' "$outputs" | while IFS='\t' read -r from to; do
  case "$from" in /tmp/outputs/*/*) mkdir -p "${from%/*}/" 2>/dev/null ;; esac
done
if [ $code = 64 ]; then
  echo "$name does not run: a container that it depends on has failed" >&2
else
  left=${tries%% *} end=$((`date +%s` + ${tries##* }))
  while :; do
    once "$@"
    [ $code = 0 ] && break
    [ "$left" -gt 0 ] || break
    [ `date +%s` -lt $end ] || break
    left=$((left - 1))
  done
fi
if [ -n "$set" ]; then echo $code > "$set/.$name"; mv "$set/.$name" "$set/$name"; fi
for one in $others; do
  while [ ! -e "$set/$one" ]; do sleep 0.05; done
done
printf '%s\\n' "$outputs" | while IFS='\t' read -r from to; do
  [ -n "$from" ] || continue
  [ -e "$from" ] || from="$start/${from#/}"
  [ -e "$from" ] || continue
  mkdir -p "${to%/*}"; rm -rf "$to"
  case "$to" in
  "$from"/*) # The step's folder lies within: all but that.
    own=${to#"$from"/}; own=${own%%/*}; mkdir -p "$to"
    for one in "$from"/* "$from"/.[!.]*; do
      [ "${one##*/}" = "$own" ] || [ ! -e "$one" ] || cp -R "$one" "$to"/
    done ;;
  *) cp -RH "$from" "$to" 2>/dev/null || cp -R "$from" "$to" ;;
  esac
done
exit $code
"""


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What the shell around one container is to do."""

    outputs: Sequence[tuple[str, str]] = ()
    """Files of the container, and where they go."""
    printed: str = ""
    set_folder: str = ""
    after: Sequence[str] = ()
    name: str = "main"
    tries: int = 0
    try_seconds: int = 86400
    others: Sequence[str] = ()
    """Containers of the set that may write what this one gives."""

    @property
    def is_needed(self) -> bool:
        return bool(self.outputs or self.printed or self.set_folder)


def wrapped(command: Sequence[str], args: Sequence[str], wrapping: Wrapping) -> tuple[list[str], list[str]]:
    """The container's command and args with the shell around them."""
    lines = "\n".join(f"{source}\t{target}" for source, target in wrapping.outputs)
    told = [
        lines,
        wrapping.printed,
        wrapping.set_folder,
        " ".join(wrapping.after),
        wrapping.name,
        f"{wrapping.tries} {wrapping.try_seconds}",
        " ".join(wrapping.others),
    ]
    return ["sh", "-c", _PROGRAM, "sampan-step"], [*told, *command, *args]
