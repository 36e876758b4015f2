import java.util.Map;

import org.cometd.bayeux.Promise;
import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.bayeux.server.ServerChannel;
import org.cometd.bayeux.server.ServerMessage;
import org.cometd.bayeux.server.ServerSession;
import org.cometd.server.DefaultSecurityPolicy;

/** What a suite can ask the server for, as this project's servers offer it with {@code --conformance} (DE-23). */
final class Help {
    private static final String CHANNEL = "/service/conformance/";
    private static final long LAZY_TIMEOUT = 1_000;

    private Help() {
    }

    static void offer(BayeuxServer bayeux) {
        listen(bayeux, "deliver", (session, message) -> {
            Map<String, Object> wanted = message.getDataAsMap();
            ServerMessage.Mutable event = bayeux.newMessage();
            event.setChannel((String)wanted.get("channel"));
            event.setData(wanted.get("data"));
            event.setLazy(Boolean.TRUE.equals(wanted.get("lazy")));
            session.deliver(null, event, Promise.noop());
        });
        listen(bayeux, "disconnect", (session, message) -> session.disconnect());
        listen(bayeux, "echo", (session, message) -> {
            ServerMessage.Mutable result = bayeux.newMessage();
            result.setChannel(message.getChannel());
            result.setId(message.getId());
            result.setSuccessful(true);
            result.setData(message.getData());
            session.deliver(null, result, Promise.noop());
        });
        bayeux.createChannelIfAbsent("/conformance/lazy/**", channel -> {
            channel.setPersistent(true);
            channel.setLazyTimeout(LAZY_TIMEOUT);
        });
        bayeux.addListener(new BayeuxServer.SessionListener() {
            @Override
            public void sessionAdded(ServerSession session, ServerMessage handshake) {
                welcome(session, handshake);
            }
        });
        bayeux.setSecurityPolicy(new Policy());
    }

    private interface Listener {
        void heard(ServerSession session, ServerMessage message);
    }

    private static void listen(BayeuxServer bayeux, String name, Listener listener) {
        bayeux.createChannelIfAbsent(CHANNEL + name, channel -> {
            channel.setPersistent(true);
            channel.addListener(new ServerChannel.MessageListener() {
                @Override
                public boolean onMessage(ServerSession session, ServerChannel to, ServerMessage.Mutable message) {
                    listener.heard(session, message);
                    return true;
                }
            });
        });
    }

    private static void welcome(ServerSession session, ServerMessage handshake) {
        if (asked(handshake).get("welcome") instanceof Number count) {
            for (int number = 1; number <= count.intValue(); number++) {
                session.deliver(null, "/conformance/welcome", number, Promise.noop());
            }
        }
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> asked(ServerMessage handshake) {
        Map<String, Object> ext = handshake == null ? null : handshake.getExt();
        return ext != null && ext.get("conformance") instanceof Map<?, ?> asked ? (Map<String, Object>)asked : Map.of();
    }

    private static final class Policy extends DefaultSecurityPolicy {
        @Override
        public boolean canHandshake(BayeuxServer server, ServerSession session, ServerMessage message) {
            return !asked(message).containsKey("deny") && super.canHandshake(server, session, message);
        }
    }
}
