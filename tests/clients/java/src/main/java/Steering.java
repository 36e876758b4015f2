import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

import org.cometd.bayeux.Channel;
import org.cometd.bayeux.Message;
import org.cometd.bayeux.client.ClientSession;
import org.cometd.bayeux.client.ClientSessionChannel;
import org.cometd.client.BayeuxClient;
import org.cometd.client.ext.AckExtension;
import org.eclipse.jetty.util.ajax.JSON;

/** One unmodified CometD client, steered over one socket until that ends. */
final class Steering implements Runnable {
    private static final JSON JSON = new JSON();

    private final Socket socket;
    private final Map<String, ClientSessionChannel.MessageListener> subscriptions = new ConcurrentHashMap<>();
    private PrintWriter output;
    private BayeuxClient client;

    Steering(Socket socket) {
        this.socket = socket;
    }

    @Override
    public void run() {
        try (socket) {
            BufferedReader input = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
            output = new PrintWriter(socket.getOutputStream(), true, StandardCharsets.UTF_8);
            Map<String, Object> options = parse(input.readLine());
            try (Network network = new Network(options)) {
                start(network, options);
                say(Map.of("ready", true));
                for (String line = input.readLine(); line != null; line = input.readLine()) {
                    obey(parse(line));
                }
                client.abort();
            }
        } catch (IOException ended) {
            // The test is through with this client.
        } catch (Exception failure) {
            failure.printStackTrace();
            say(Map.of("failed", failure.toString()));
        }
    }

    private void start(Network network, Map<String, Object> options) {
        client = new BayeuxClient((String) options.get("url"), network.transport());
        client.setOption(BayeuxClient.BACKOFF_INCREMENT_OPTION, 100);
        if (Boolean.TRUE.equals(options.get("ack"))) {
            client.addExtension(new AckExtension());
        }
        client.addExtension(new Observer());
        // A new session has no subscriptions: every CometD application has a listener like this one.
        listen(Channel.META_HANDSHAKE, message -> {
            if (message.isSuccessful()) {
                client.batch(() -> subscriptions.keySet().forEach(channel -> subscribe(channel, ignored -> {})));
            }
        });
        listen(Channel.META_HANDSHAKE, this::notice);
        listen(Channel.META_CONNECT, this::notice);
    }

    private void notice(Message reply) {
        if (!reply.isSuccessful()) {
            say(Map.of("lost", true));
        }
    }

    private void listen(String channel, ClientSession.MessageListener listener) {
        client.getChannel(channel).addListener(
                (ClientSessionChannel.MessageListener) (source, message) -> listener.onMessage(message));
    }

    private void obey(Map<String, Object> command) {
        Object number = command.get("number");
        String channel = (String) command.get("channel");
        switch ((String) command.get("do")) {
            case "handshake" -> client.handshake(message -> reply(number, message));
            case "subscribe" -> {
                subscriptions.put(channel, (source, message) -> receive(channel, message));
                subscribe(channel, message -> reply(number, message));
            }
            case "unsubscribe" -> client.getChannel(channel)
                    .unsubscribe(subscriptions.remove(channel), message -> reply(number, message));
            case "publish" -> client.getChannel(channel).publish(command.get("data"), message -> reply(number, message));
            case "burst" -> burst(number, channel, (Long) command.get("count"));
            case "disconnect" -> client.disconnect(message -> reply(number, message));
            default -> throw new IllegalArgumentException(command.toString());
        }
    }

    private void subscribe(String channel, ClientSession.MessageListener done) {
        client.getChannel(channel).subscribe(subscriptions.get(channel), done);
    }

    private void receive(String channel, Message message) {
        Map<String, Object> event = new java.util.HashMap<>();
        event.put("channel", message.getChannel());
        event.put("data", message.getData());
        say(Map.of("event", event, "by", channel));
    }

    private void burst(Object number, String channel, long count) {
        AtomicLong waiting = new AtomicLong(count);
        for (long value = 1; value <= count; value++) {
            client.getChannel(channel).publish(value, message -> {
                if (!message.isSuccessful() || waiting.decrementAndGet() == 0) {
                    reply(number, message);
                }
            });
        }
    }

    private void reply(Object number, Message message) {
        if (message.isSuccessful()) {
            say(Map.of("reply", number, "successful", true));
            return;
        }
        Object error = message.get(Message.ERROR_FIELD);
        say(Map.of("reply", number, "successful", false, "error", error == null ? "the request failed: " + message.get("failure") : error));
    }

    private synchronized void say(Map<String, Object> what) {
        output.println(JSON.toJSON(what));
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> parse(String line) throws IOException {
        if (line == null) {
            throw new IOException("the connection ended");
        }
        return (Map<String, Object>) JSON.fromJSON(line);
    }

    /** Tells what goes over the meta channels. */
    private final class Observer implements ClientSession.Extension {
        @Override
        public boolean rcvMeta(ClientSession session, Message.Mutable message) {
            say(Map.of("meta", message));
            return true;
        }

        @Override
        public boolean sendMeta(ClientSession session, Message.Mutable message) {
            if (Channel.META_CONNECT.equals(message.getChannel())) {
                say(Map.of("connecting", message.get(Message.CONNECTION_TYPE_FIELD)));
            }
            return true;
        }
    }
}
