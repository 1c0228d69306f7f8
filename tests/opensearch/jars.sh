#!/usr/bin/env bash
# Makes what an OpenSearch node for the tests runs from, in target/java-<N>: its jars (pom.xml), StartNode's own, and an
# archive of the classes that a node loads while it starts. With that it starts in half the time.
# The Java of $JAVA_HOME, or else the one on PATH, decides which version. Does nothing when all is there.
#
#   jars.sh          make them
#   jars.sh where    print that java and that directory, a line each
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "opensearch: $*" >&2; exit 1; }

need_java="Java 17 or newer is needed (a JDK, not only a JRE): put java on PATH, or set JAVA_HOME"
if [[ -n "${JAVA_HOME:-}" ]]; then java="$JAVA_HOME/bin/java"; else java=$(command -v java) || fail "$need_java"; fi
properties=$("$java" -XshowSettings:properties -version 2>&1) || fail "$java does not run. $need_java"
property() { sed -n "s/^ *$1 = //p" <<<"$properties"; }
version=$(property java.specification.version)
[[ "${version%%.*}" -ge 17 ]] || fail "$java is version $version. $need_java"
made="target/java-$version"

if [[ "${1:-}" == where ]]; then
  printf '%s\n' "$java" "$PWD/$made"
  exit
fi

stamp="$made/made"
if [[ "$stamp" -nt pom.xml && "$stamp" -nt StartNode.java && "$stamp" -nt jars.sh ]]; then exit; fi

JAVA_HOME=$(property java.home)
export JAVA_HOME
[[ -x "$JAVA_HOME/bin/javac" ]] || fail "$JAVA_HOME has no javac. $need_java"
command -v mvn >/dev/null || fail "Maven is needed to fetch OpenSearch's jars: put mvn on PATH"

echo "opensearch: fetching jars for Java $version" >&2
fresh="$made.$$"
trap 'rm -rf "$fresh"' EXIT
mvn -q -B -f pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/$fresh/lib" -DincludeScope=runtime
"$JAVA_HOME/bin/javac" -Xlint:all,-classfile,-path,-processing,-serial -cp "$fresh/lib/*" -d "$fresh/classes" StartNode.java
"$JAVA_HOME/bin/jar" --create --file "$fresh/start.jar" -C "$fresh/classes" .
rm -rf "$made"
mv "$fresh" "$made"

# A node whose input has ended already starts and exits. The archive is for this class path, so it is made in place.
home=$(mktemp -d)
trap 'rm -rf "$fresh" "$home"' EXIT
"$java" -Xmx512m --add-modules=jdk.incubator.vector -XX:ArchiveClassesAtExit="$made/classes.jsa" \
  -cp "$PWD/$made/start.jar:$PWD/$made/lib/*" StartNode config "$home" 0 0 </dev/null >"$home/console" 2>&1 ||
  { cat "$home/console" >&2; fail "a node does not start"; }
touch "$stamp"
