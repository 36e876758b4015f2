import java.net.InetAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.server.BayeuxServerImpl;
import org.cometd.server.ext.AcknowledgedMessagesExtension;
import org.cometd.server.ext.TimesyncExtension;
import org.cometd.server.http.JSONHttpTransport;
import org.cometd.server.http.JSONPHttpTransport;
import org.cometd.server.http.jakarta.CometDServlet;
import org.cometd.server.websocket.jetty.JettyWebSocketTransport;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Context;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.CrossOriginHandler;
import org.eclipse.jetty.websocket.server.WebSocketUpgradeHandler;

/**
 * CometD's server, as its book says to embed it: {@code Main [--port N] [--timeout MS] [--max-interval MS]
 * [--origin ORIGIN]}. It prints where it listens; the end of standard input ends it.
 */
public final class Main {
    private static final String PATH = "/bayeux";
    private static final String MAX_MESSAGE_SIZE = "1048576";

    public static void main(String[] arguments) throws Exception {
        // What a client does wrong is no news here.
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "error");
        Map<String, String> options = options(arguments);

        Server server = new Server();
        ServerConnector connector = new ServerConnector(server);
        connector.setHost(InetAddress.getLoopbackAddress().getHostAddress());
        connector.setPort(Integer.parseInt(options.getOrDefault("--port", "0")));
        server.addConnector(connector);
        connector.open();
        String address = "http://%s:%d".formatted(connector.getHost(), connector.getLocalPort());

        CrossOriginHandler crossOrigin = crossOrigin(address, options.get("--origin"));
        server.setHandler(crossOrigin);
        ServletContextHandler context = new ServletContextHandler();
        crossOrigin.setHandler(context);
        context.insertHandler(WebSocketUpgradeHandler.from(server, context));
        BayeuxServerImpl bayeux = bayeux(options);
        bayeux.setOption(Context.class.getName(), context.getContext());
        context.setAttribute(BayeuxServer.ATTRIBUTE, bayeux);
        ServletHolder servlet = new ServletHolder(new CometDServlet());
        servlet.setInitOrder(1);
        servlet.setAsyncSupported(true);
        context.addServlet(servlet, PATH + "/*");
        server.start();

        System.out.println("listening on " + address + PATH);
        while (System.in.read() >= 0) {
            // Nobody says anything here.
        }
        Runtime.getRuntime().halt(0);
    }

    private static Map<String, String> options(String[] arguments) {
        Set<String> known = Set.of("--port", "--timeout", "--max-interval", "--origin");
        Map<String, String> options = new HashMap<>();
        for (int index = 0; index < arguments.length; index += 2) {
            if (!known.contains(arguments[index]) || index + 1 == arguments.length) {
                throw new IllegalArgumentException(arguments[index]);
            }
            options.put(arguments[index], arguments[index + 1]);
        }
        return options;
    }

    private static BayeuxServerImpl bayeux(Map<String, String> options) {
        BayeuxServerImpl bayeux = new BayeuxServerImpl();
        bayeux.setTransports(List.of(
            new JettyWebSocketTransport(bayeux), new JSONHttpTransport(bayeux), new JSONPHttpTransport(bayeux)));
        bayeux.setAllowedTransports("websocket", "long-polling", "callback-polling");
        bayeux.setOption("ws.cometdURLMapping", PATH + "/*");
        bayeux.setOption("maxMessageSize", MAX_MESSAGE_SIZE);
        bayeux.setOption("timeout", options.getOrDefault("--timeout", "30000"));
        bayeux.setOption("maxInterval", options.getOrDefault("--max-interval", "10000"));
        bayeux.addExtension(new AcknowledgedMessagesExtension());
        bayeux.addExtension(new TimesyncExtension());
        Help.offer(bayeux);
        return bayeux;
    }

    /** That origin and the server's own may use it, others may not. */
    private static CrossOriginHandler crossOrigin(String own, String other) {
        CrossOriginHandler handler = new CrossOriginHandler();
        Set<String> allowed = other == null ? Set.of(own) : Set.of(own, other);
        handler.setAllowedOriginPatterns(Set.copyOf(allowed.stream().map(java.util.regex.Pattern::quote).toList()));
        handler.setAllowCredentials(true);
        handler.setPreflightMaxAge(java.time.Duration.ofDays(1));
        handler.setAllowedMethods(Set.of("GET", "POST", "OPTIONS"));
        handler.setAllowedHeaders(
            Set.of("Accept", "Authorization", "Content-Type", "Origin", "Pragma", "X-Requested-With"));
        handler.setDeliverNonAllowedOriginRequests(false);
        handler.setDeliverNonAllowedOriginWebSocketUpgradeRequests(false);
        return handler;
    }
}
