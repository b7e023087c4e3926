package com.github.spokehub.spoke.interop;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A TCP relay to a server, for pulling the plug. */
final class Cable implements AutoCloseable {
    final String url;
    private final int target;
    private final ServerSocket listener;
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();

    Cable(Program server) throws IOException {
        target = server.port();
        listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        url = URI.create(server.url).getScheme() + "://127.0.0.1:" + listener.getLocalPort() + "/";
        start(this::accept);
    }

    private static void start(Runnable work) {
        Thread thread = new Thread(work, "cable");
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        try {
            while (true) {
                Socket near = listener.accept();
                Socket far = new Socket(InetAddress.getLoopbackAddress(), target);
                sockets.add(near);
                sockets.add(far);
                start(() -> relay(near, far));
                start(() -> relay(far, near));
            }
        } catch (IOException closed) {
            cut(); // the listener was closed
        }
    }

    private void relay(Socket from, Socket to) {
        try (from; to) {
            from.getInputStream().transferTo(to.getOutputStream());
        } catch (IOException cut) {
            // one of the two ends is gone, and now the other one is, too
        } finally {
            sockets.remove(from);
            sockets.remove(to);
        }
    }

    /** Resets all connections; new ones may come. */
    void cut() {
        for (Socket socket : sockets) {
            try {
                socket.setSoLinger(true, 0);
                socket.close();
            } catch (IOException gone) {
                // it was closed at the same moment
            }
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        cut();
    }
}
