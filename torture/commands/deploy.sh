# One step of a deployment: deploy.sh JOURNAL STEP LANE. Writes when it starts and ends, and what it sees of others.
# The branch says how it behaves. While JOURNAL.hold is there, some wait to be interrupted.
journal=$1 step=$2 lane=$3
say() { echo "$*" >>"$journal"; } # one write of less than a page, with O_APPEND: lines never mix
of="$FERRYMAN_DEPLOYMENT_ID $step"

exec 9>>"$journal.$(echo "$lane" | tr / _)"
flock -n 9 || say "overlap $of $lane"
say "start $of $$"
held() { while [ -e "$journal.hold" ]; do sleep 0.05; done; }
case $GITHUB_REF in
  fails) say "end $of 3"; exit 3 ;;
  slow) sleep 0.1 ;;
  holds) held ;;
  deaf) trap '' INT TERM HUP; held ;;
  parent) held & wait ;;
  daemon) setsid sh -c 'exec 9>&-; while [ -e "$1.hold" ]; do sleep 0.05; done' sh "$journal" & held ;;
  loud) seq 1 20000 ;;
esac
say "end $of 0"
