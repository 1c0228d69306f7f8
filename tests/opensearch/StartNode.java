import java.io.IOException;
import java.lang.reflect.Constructor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.opensearch.Version;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;
import org.opensearch.plugins.PluginInfo;

/**
 * One OpenSearch node, 2.19 or 3.x, from jars on the class path: {@code StartNode <config> <home> <http> <transport>}.
 *
 * <p>It ends on SIGTERM, and when its standard input ends: it cannot outlive the process that holds the other end of
 * that pipe, however that process dies. Whatever goes wrong is printed and exits non-zero.
 */
public final class StartNode {
    private static final int SECONDS_TO_CLOSE = 20;

    /**
     * The modules of a distribution that indexing and searching use, as far as their jars are published. The class is
     * X + "Plugin" in 2.x and X + "ModulePlugin" in 3.x (geo: "ModulePlugin" in both).
     */
    private static final List<String> MODULES = List.of(
            "org.opensearch.transport.Netty4", // without it a node has no HTTP at all
            "org.opensearch.analysis.common.CommonAnalysis", // language analyzers, n-grams, synonyms
            "org.opensearch.index.mapper.MapperExtras", // search_as_you_type, rank_feature, scaled_float
            "org.opensearch.index.reindex.Reindex", // _reindex, _update_by_query, _delete_by_query
            "org.opensearch.painless.Painless",
            "org.opensearch.script.expression.Expression",
            "org.opensearch.script.mustache.Mustache", // search templates
            "org.opensearch.search.aggregations.matrix.MatrixAggregation",
            "org.opensearch.geo.Geo",
            "org.opensearch.index.rankeval.RankEval",
            "org.opensearch.ingest.common.IngestCommon");

    /** Node's constructor for plugins on the class path is protected. It takes classes in 2.x, PluginInfo in 3.x. */
    private static final class ClassPathNode extends Node {
        @SuppressWarnings({"unchecked", "rawtypes"})
        ClassPathNode(Environment environment, Collection modules) {
            super(environment, modules, true);
        }
    }

    public static void main(String[] args) {
        Thread.setDefaultUncaughtExceptionHandler(StartNode::uncaught);
        try {
            Node node = start(Path.of(args[0]), Path.of(args[1]), args[2], args[3]);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
            node.start();
            while (System.in.read() != -1) { }
            System.exit(0);
        } catch (Throwable failure) {
            failure.printStackTrace();
            System.exit(1);
        }
    }

    private static Node start(Path config, Path home, String httpPort, String transportPort) throws Exception {
        Settings settings = Settings.builder()
                .put("path.home", home.toString())
                .put("path.data", home.resolve("data").toString())
                .put("path.logs", home.resolve("logs").toString())
                .put("http.port", httpPort)
                .put("transport.port", transportPort)
                .build();
        LogConfigurator.registerErrorListener();
        Environment environment =
                InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), config, () -> "node-1");
        LogConfigurator.setNodeName("node-1");
        LogConfigurator.configure(environment);
        return new ClassPathNode(environment, modules());
    }

    private static Collection<?> modules() throws ReflectiveOperationException {
        Constructor<?> constructor =
                Node.class.getDeclaredConstructor(Environment.class, Collection.class, boolean.class);
        boolean described = constructor.toGenericString().contains(PluginInfo.class.getName());
        List<Object> modules = new ArrayList<>();
        for (String name : MODULES) {
            Class<? extends Plugin> module = module(name);
            modules.add(described ? description(module.getName()) : module);
        }
        return modules;
    }

    private static Class<? extends Plugin> module(String name) throws ClassNotFoundException {
        try {
            return Class.forName(name + "ModulePlugin").asSubclass(Plugin.class);
        } catch (ClassNotFoundException olderName) {
            return Class.forName(name + "Plugin").asSubclass(Plugin.class);
        }
    }

    private static PluginInfo description(String name) {
        String java = Integer.toString(Runtime.version().feature());
        return new PluginInfo(name, "on the class path", "NA", Version.CURRENT, java, name, List.of(), false);
    }

    private static void close(Node node) {
        Thread watchdog = new Thread(StartNode::haltWhenStuck);
        watchdog.setDaemon(true);
        watchdog.start();
        try {
            node.close();
            node.awaitClose(SECONDS_TO_CLOSE, TimeUnit.SECONDS);
        } catch (IOException | InterruptedException failure) {
            failure.printStackTrace();
        }
    }

    private static void haltWhenStuck() {
        try {
            TimeUnit.SECONDS.sleep(SECONDS_TO_CLOSE);
        } catch (InterruptedException closing) {
            return;
        }
        System.err.println("the node did not close within " + SECONDS_TO_CLOSE + " s; halting");
        Runtime.getRuntime().halt(2);
    }

    /** As OpenSearch's own start does: an exception costs its thread, an error the process. */
    private static void uncaught(Thread thread, Throwable failure) {
        System.err.println("uncaught in thread " + thread.getName());
        failure.printStackTrace();
        if (failure instanceof Error) {
            Runtime.getRuntime().halt(3);
        }
    }
}
