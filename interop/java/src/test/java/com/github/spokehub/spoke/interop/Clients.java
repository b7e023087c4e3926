package com.github.spokehub.spoke.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.microsoft.signalr.HttpHubConnectionBuilder;
import com.microsoft.signalr.HubConnection;
import com.microsoft.signalr.HubConnectionBuilder;
import com.microsoft.signalr.HubConnectionState;
import com.microsoft.signalr.HubProtocol;
import com.microsoft.signalr.TransportEnum;
import io.reactivex.rxjava3.core.Completable;
import io.reactivex.rxjava3.core.Single;
import java.io.IOException;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import okhttp3.OkHttpClient;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/** What tests of the client are built of: servers, connections, inboxes and patience. */
@TestInstance(Lifecycle.PER_CLASS)
abstract class Clients {
    /** The client's version, as in pom.xml. */
    static final String VERSION = "9.0.3";

    /** How long a test waits for what must come, in seconds. It is no measure of speed: the machine may be busy with other work. */
    static final long PATIENCE = 30;

    private final List<HubConnection> open = new ArrayList<>();
    Program spoked;
    Program probe;
    private Certificate certificate; // null: http

    /** The transport under test. */
    abstract TransportEnum transport();

    /** The protocol under test; null is the client's own default. */
    abstract HubProtocol protocol();

    /** The scheme under test; those over https say so. */
    String scheme() {
        return "http";
    }

    /** A server with the hub /bench for one test alone. */
    final Program own(String... flags) throws IOException {
        return Program.spoked(scheme(), 0, flags);
    }

    @BeforeAll
    void startServers() throws Exception {
        assertEquals(System.getProperty("signalr.version"), VERSION, "the version in pom.xml, and here");
        if (scheme().equals("https")) certificate = Certificate.made();
        spoked = Program.spoked(scheme(), 0);
        probe = Program.probe(scheme());
    }

    @AfterAll
    void stopServers() throws Exception {
        assertEquals(0, spoked.stop(), "exit code of spoked");
        assertEquals(0, probe.stop(), "exit code of probe");
    }

    @AfterEach
    void closeConnections() {
        open.forEach(HubConnection::close);
        open.clear();
    }

    /** A connection to a hub; http may change the client's way to make requests. */
    final HubConnection build(String url, Consumer<HttpHubConnectionBuilder> options, Consumer<OkHttpClient.Builder> http) {
        HttpHubConnectionBuilder builder = HubConnectionBuilder.create(url).withHandshakeResponseTimeout(PATIENCE * 1000);
        builder.withTransport(transport());
        if (protocol() != null) builder.withHubProtocol(protocol());
        builder.setHttpClientBuilderCallback(client -> {
            if (certificate != null) certificate.trustedBy(client);
            http.accept(client);
        });
        options.accept(builder);
        HubConnection connection = builder.build();
        open.add(connection);
        return connection;
    }

    final HubConnection build(String url, Consumer<HttpHubConnectionBuilder> options) {
        return build(url, options, http -> { });
    }

    final HubConnection build(String url) {
        return build(url, options -> { });
    }

    final HubConnection started(String url) {
        HubConnection connection = build(url);
        done(connection.start());
        return connection;
    }

    static void done(Completable completable) {
        assertTrue(completable.blockingAwait(PATIENCE, TimeUnit.SECONDS), () -> "waited " + PATIENCE + " s in vain");
    }

    static <T> T get(Single<T> single) {
        return single.timeout(PATIENCE, TimeUnit.SECONDS).blockingGet();
    }

    static String echo(HubConnection connection, String text) {
        return get(connection.invoke(String.class, "Echo", text));
    }

    /** Fails if the call does not, and gives the text of its error. */
    static String failure(Completable call) {
        return root(assertThrows(Throwable.class, () -> done(call))).getMessage();
    }

    static String failure(Single<?> call) {
        return root(assertThrows(Throwable.class, () -> get(call))).getMessage();
    }

    /** Fails unless the connection is at its end, or comes to it: start may fail before the client has noted that. */
    static void disconnected(HubConnection connection) throws InterruptedException {
        for (long began = System.nanoTime(); connection.getConnectionState() != HubConnectionState.DISCONNECTED; TimeUnit.MILLISECONDS.sleep(5)) {
            assertTrue(System.nanoTime() - began < TimeUnit.SECONDS.toNanos(PATIENCE), () -> "still " + connection.getConnectionState() + " after " + PATIENCE + " s");
        }
    }

    static Throwable root(Throwable error) {
        return error.getClass() == RuntimeException.class && error.getCause() != null ? root(error.getCause()) : error;
    }

    /** The connection's end: its error, or null. It must be asked for before the end. */
    static CompletableFuture<Exception> end(HubConnection connection) {
        CompletableFuture<Exception> end = new CompletableFuture<>();
        connection.onClosed(end::complete);
        return end;
    }

    static <T> T await(CompletableFuture<T> future) throws Exception {
        return future.get(PATIENCE, TimeUnit.SECONDS);
    }

    /** What comes for a method with one argument, in order. */
    static final class Inbox<T> {
        private final BlockingQueue<T> messages = new LinkedBlockingQueue<>();

        Inbox(HubConnection connection, String method, Class<T> type) {
            connection.on(method, messages::add, type);
        }

        Inbox(HubConnection connection, Type type) {
            connection.<T>on("message", messages::add, type);
        }

        static Inbox<String> of(HubConnection connection) {
            return new Inbox<>(connection, "message", String.class);
        }

        T next() throws InterruptedException {
            T message = messages.poll(PATIENCE, TimeUnit.SECONDS);
            assertTrue(message != null, () -> "waited " + PATIENCE + " s in vain for a call");
            return message;
        }

        List<T> rest() {
            return List.copyOf(messages);
        }
    }
}
