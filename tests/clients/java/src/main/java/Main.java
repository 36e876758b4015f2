import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/**
 * Many CometD clients in one process: each connection to its socket steers one, by the lines of {@code ../lines.mjs}
 * after a first line with the options. The end of standard input ends the process.
 */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        Thread end = new Thread(Main::endWithInput);
        end.setDaemon(true);
        end.start();

        try (ServerSocket listener = new ServerSocket(0, 1024, InetAddress.getLoopbackAddress())) {
            System.out.println("steering on port " + listener.getLocalPort());
            while (true) {
                Socket socket = listener.accept();
                socket.setTcpNoDelay(true);
                new Thread(new Steering(socket)).start();
            }
        }
    }

    private static void endWithInput() {
        try {
            while (System.in.read() >= 0) {
                // Nobody says anything here.
            }
        } catch (java.io.IOException ended) {
            // As good as the end of the input.
        }
        Runtime.getRuntime().halt(0);
    }
}
