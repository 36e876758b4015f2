import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Map;

import org.cometd.client.http.jetty.JettyHttpClientTransport;
import org.cometd.client.transport.ClientTransport;
import org.cometd.client.websocket.jakarta.WebSocketTransport;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.client.HttpClientTransport;
import org.eclipse.jetty.client.transport.HttpClientTransportOverHTTP;
import org.eclipse.jetty.ee10.websocket.jakarta.client.JakartaWebSocketClientContainer;
import org.eclipse.jetty.http2.client.HTTP2Client;
import org.eclipse.jetty.http2.client.transport.HttpClientTransportOverHTTP2;
import org.eclipse.jetty.io.ClientConnector;
import org.eclipse.jetty.util.component.LifeCycle;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.util.thread.ScheduledExecutorScheduler;
import org.eclipse.jetty.util.thread.Scheduler;

/** What one client speaks through: connections of its own, on threads that all clients share. */
final class Network implements AutoCloseable {
    private static final QueuedThreadPool THREADS = started(new QueuedThreadPool(600));
    private static final Scheduler SCHEDULER = started(new ScheduledExecutorScheduler());

    private final HttpClient http;
    private final ClientTransport transport;
    private JakartaWebSocketClientContainer container;

    Network(Map<String, Object> options) throws Exception {
        http = new HttpClient(over(options));
        http.setExecutor(THREADS);
        http.setScheduler(SCHEDULER);
        if (options.get("transport").equals("websocket")) {
            container = new JakartaWebSocketClientContainer(http);
            container.start();
            transport = new WebSocketTransport(null, null, container);
        } else {
            http.start();
            transport = new JettyHttpClientTransport(null, http);
        }
    }

    ClientTransport transport() {
        return transport;
    }

    @Override
    public void close() {
        LifeCycle.stop(container == null ? http : container);
    }

    private static HttpClientTransport over(Map<String, Object> options) throws Exception {
        ClientConnector connector = new ClientConnector();
        connector.setSelectors(1);
        connector.setExecutor(THREADS);
        connector.setScheduler(SCHEDULER);
        if (options.get("trusted") instanceof String file) {
            connector.setSslContextFactory(trusting(Path.of(file)));
        }
        // HTTP/2 is agreed upon over TLS, by ALPN; without, it is spoken by prior knowledge.
        return Boolean.TRUE.equals(options.get("http2"))
                ? new HttpClientTransportOverHTTP2(new HTTP2Client(connector))
                : new HttpClientTransportOverHTTP(connector);
    }

    /** TLS with servers whose certificates that authority has issued, and no others. */
    private static SslContextFactory.Client trusting(Path authority) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream file = Files.newInputStream(authority)) {
            store.setCertificateEntry("authority", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        SslContextFactory.Client tls = new SslContextFactory.Client();
        tls.setTrustStore(store);
        return tls;
    }

    private static <T extends LifeCycle> T started(T part) {
        LifeCycle.start(part);
        return part;
    }
}
