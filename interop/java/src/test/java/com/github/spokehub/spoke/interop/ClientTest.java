package com.github.spokehub.spoke.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.microsoft.signalr.HubConnection;
import com.microsoft.signalr.HubConnectionState;
import com.microsoft.signalr.TransportEnum;
import com.microsoft.signalr.Subscription;
import io.reactivex.rxjava3.core.Completable;
import io.reactivex.rxjava3.core.Single;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/**
 * Connections, calls, groups, users and ends. The display names are the lines of docs/compatibility.md, so the JavaScript clients' checks have the
 * same (interop/js/lib).
 */
abstract class ClientTest extends ProbeTest {
    final String bench() {
        return spoked.url + "bench";
    }

    @Test
    @DisplayName("connects with negotiate")
    void negotiate() {
        HubConnection c = started(bench());
        assertEquals(HubConnectionState.CONNECTED, c.getConnectionState());
        assertTrue(c.getConnectionId().matches("[A-Za-z0-9_-]{22}"), c.getConnectionId());
        assertEquals("x", echo(c, "x"));
    }

    @Test
    @DisplayName("invoke returns what the method returned")
    void invoke() {
        HubConnection c = started(bench());
        for (String text : List.of("", "text")) assertEquals(text, echo(c, text));
        assertEquals(0, get(c.invoke(Integer.class, "Echo", 0)));
        assertEquals(-1.5, get(c.invoke(Double.class, "Echo", -1.5)));
        assertEquals(1e300, get(c.invoke(Double.class, "Echo", 1e300)));
        assertEquals(true, get(c.invoke(Boolean.class, "Echo", true)));
        assertEquals(Map.of("a", List.of("b")), get(c.invoke(Map.class, "Echo", Map.of("a", List.of("b")))));
        assertEquals(List.of(), get(c.invoke(List.class, "Echo", List.of())));
        assertEquals("x", get(c.invoke(String.class, "echo", "x")), "a method's name in another case");
        done(c.invoke("Sleep", 1));
        List<Single<Integer>> many = new ArrayList<>();
        for (int i = 0; i < 500; i++) many.add(c.invoke(Integer.class, "Echo", i));
        for (int i = 0; i < 500; i++) assertEquals(i, get(many.get(i)));
    }

    @Test
    @DisplayName("the server calls every handler until it is taken off")
    void handlers() throws Exception {
        try (Program own = own()) {
            HubConnection c = build(own.url + "bench");
            HubConnection other = build(own.url + "bench");
            Inbox<String> mine = Inbox.of(c);
            Inbox<String> theirs = Inbox.of(other);
            List<String> seen = new ArrayList<>();
            Subscription taken = c.on("message", seen::add, String.class);
            done(c.start());
            done(other.start());
            done(c.invoke("Broadcast", "1"));
            assertEquals("1", mine.next());
            assertEquals("1", theirs.next());
            taken.unsubscribe();
            done(c.invoke("Broadcast", "2"));
            assertEquals("2", mine.next());
            assertEquals(List.of("1"), seen);
            done(c.stop());
            done(other.stop());
        }
    }

    @Test
    @DisplayName("groups")
    void groups() throws Exception {
        HubConnection a = build(bench());
        HubConnection b = build(bench());
        HubConnection outside = build(bench());
        List<Inbox<String>> inboxes = List.of(Inbox.of(a), Inbox.of(b), Inbox.of(outside));
        for (HubConnection c : List.of(a, b, outside)) done(c.start());
        done(a.invoke("Join", "java blue"));
        done(b.invoke("Join", "java blue"));
        done(b.invoke("Join", "java blue")); // twice is once
        done(outside.invoke("Join", "Java blue")); // names of groups are exact
        done(outside.invoke("Publish", "java blue", "1")); // from outside
        assertEquals("1", inboxes.get(0).next());
        assertEquals("1", inboxes.get(1).next());
        done(a.invoke("Leave", "java blue"));
        done(b.invoke("Publish", "java blue", "2"));
        assertEquals("2", inboxes.get(1).next());
        echo(a, "so that all before has come"); // sends of one loop arrive before later answers
        echo(outside, "likewise");
        for (Inbox<String> inbox : inboxes) assertEquals(List.of(), inbox.rest());
    }

    @Test
    @DisplayName("users")
    void users() throws Exception {
        try (Program own = own("-dev-users")) {
            HubConnection ann = build(own.url + "bench?user=ann");
            HubConnection bob = build(own.url + "bench", options -> options.withAccessTokenProvider(Single.just("bob")));
            Inbox<String> atAnn = Inbox.of(ann);
            Inbox<String> atBob = Inbox.of(bob);
            done(ann.start());
            done(bob.start());
            assertEquals("ann", get(ann.invoke(String.class, "WhoAmI")));
            assertEquals("bob", get(bob.invoke(String.class, "WhoAmI")));
            done(bob.invoke("Tell", "Ann", "user ids are exact"));
            done(bob.invoke("Tell", "ann", "hello"));
            assertEquals("hello", atAnn.next());
            assertEquals(List.of(), atBob.rest());
            done(ann.stop());
            done(bob.stop());
        }
    }

    @Test
    @DisplayName("a refused user gets an error from start")
    void refusedUser() throws Exception {
        try (Program own = own("-dev-users")) {
            HubConnection c = build(own.url + "bench?user=" + "x".repeat(100));
            String error = failure(c.start());
            assertTrue(error.contains("401"), error);
            disconnected(c);
        }
    }

    @Test
    @DisplayName("errors: the hub's own text, the generic text, an unknown method, wrong arguments")
    void errors() {
        HubConnection c = started(bench());
        assertEquals("An unexpected error occurred invoking 'Fail' on the server. HubException: too high", failure(c.invoke("Fail", "too high")));
        assertEquals("An unexpected error occurred invoking 'Fail' on the server. HubException: Käse", failure(c.invoke("fail", "Käse")));
        assertEquals("An unexpected error occurred invoking 'Panic' on the server.", failure(c.invoke("Panic")));
        assertEquals("Failed to invoke 'Nowhere' due to an error on the server. HubException: Method does not exist.", failure(c.invoke("Nowhere")));
        assertEquals("Failed to invoke 'Sleep' due to an error on the server.", failure(c.invoke("Sleep", "long")));
        assertEquals("Failed to invoke 'Echo' due to an error on the server.", failure(c.invoke(String.class, "Echo", 1, 2)));
        c.send("Fail", "nobody hears this");
        assertEquals("alive", echo(c, "alive"));
    }

    @Test
    @DisplayName("closed by the server for good: no reconnect")
    void abort() throws Exception {
        HubConnection c = build(bench());
        CompletableFuture<Exception> end = end(c);
        done(c.start());
        c.send("Abort");
        await(end);
        assertEquals(HubConnectionState.DISCONNECTED, c.getConnectionState());
    }

    @Test
    @DisplayName("a message over the cap closes the connection, with leave to reconnect")
    void tooLong() throws Exception {
        HubConnection c = build(bench());
        CompletableFuture<Exception> end = end(c);
        done(c.start());
        String before = c.getConnectionId();
        failure(c.invoke(String.class, "Echo", "x".repeat(33_000)));
        await(end);
        done(c.start()); // this client reconnects by hand
        assertNotEquals(before, c.getConnectionId());
        assertEquals("back", echo(c, "back"));
    }

    @Test
    @DisplayName("a drain lets running calls finish, then closes with leave to reconnect")
    void drain() throws Exception {
        // With polls this client hands what has come to another thread and polls on; on a busy machine it may find that the server has gone before it has read the answer to its call,
        // which came with the Close.
        for (int tries = transport() == TransportEnum.LONG_POLLING ? 5 : 1; !drained(tries == 1); tries--) { }
    }

    /** Drains a server under a call; reports whether the call was answered, which it must be if that is asked for. */
    private boolean drained(boolean mustBeAnswered) throws Exception {
        Program own = own("-drain", "300ms", "-admin-addr", "127.0.0.1:0");
        HubConnection c = build(own.url + "bench");
        CompletableFuture<Exception> end = end(c);
        done(c.start());
        CompletableFuture<Throwable> call = new CompletableFuture<>();
        c.invoke("Sleep", 2000).subscribe(() -> call.complete(null), call::complete);
        own.awaitRunningCall();
        assertEquals(0, own.stop(), "exit code");
        Throwable failure = await(call);
        if (mustBeAnswered) assertNull(failure);
        await(end);
        try (Program again = Program.spoked(scheme(), own.port())) {
            done(c.start());
            assertEquals("back", echo(c, "back"));
            done(c.stop());
            assertTrue(again.port() > 0);
        }
        return failure == null;
    }

    @Test
    @DisplayName("without automatic reconnect, a cut ends the connection; start begins anew")
    void cut() throws Exception {
        try (Cable cable = new Cable(spoked)) {
            // Left to itself, this client makes a poll that was cut off a second time, so that the connection goes on.
            HubConnection c = build(cable.url + "bench", options -> { }, http -> http.retryOnConnectionFailure(false));
            CompletableFuture<Exception> end = end(c);
            done(c.start());
            String before = c.getConnectionId();
            CompletableFuture<Throwable> pending = new CompletableFuture<>();
            c.invoke("Sleep", 60_000).subscribe(() -> pending.complete(null), pending::complete);
            // A cut between two polls is noticed by nobody: the next poll goes out on a connection of its own. So it is cut until the client notices.
            for (long began = System.nanoTime(); !end.isDone() && System.nanoTime() - began < TimeUnit.SECONDS.toNanos(PATIENCE); TimeUnit.MILLISECONDS.sleep(50)) {
                cable.cut();
            }
            await(end);
            assertTrue(await(pending) != null, "the pending call has succeeded");
            assertEquals(HubConnectionState.DISCONNECTED, c.getConnectionState());
            // The first try may go out on a cut connection that the client's pool still keeps for reuse.
            done(c.start().onErrorResumeNext(error -> c.start()));
            assertNotEquals(before, c.getConnectionId());
            assertEquals("again", echo(c, "again"));
            done(c.stop());
        }
    }

    @Test
    @DisplayName("1 MiB of text in one message, in 64 KiB pieces and in 1 KiB pieces")
    void large() throws Exception {
        try (Program own = own("-max-message", "2000000")) {
            HubConnection c = started(own.url + "bench");
            String text = "0123456789abcdef".repeat(65_536);
            for (int size : new int[] {1 << 20, 1 << 16, 1 << 10}) {
                List<Single<String>> pieces = new ArrayList<>();
                for (int i = 0; i < text.length(); i += size) pieces.add(c.invoke(String.class, "Echo", text.substring(i, i + size)));
                StringBuilder back = new StringBuilder();
                for (Single<String> piece : pieces) back.append(get(piece));
                assertTrue(text.contentEquals(back), () -> "another text came back, in pieces of " + size);
            }
            done(c.stop());
        }
    }

    @Test
    @DisplayName("text beyond ASCII")
    void unicode() throws Exception {
        HubConnection c = build(bench());
        Inbox<String> inbox = Inbox.of(c);
        done(c.start());
        for (String text : List.of("Grüße, naïve façade", "Ελληνικά", "Привет", "你好，世界", "한국어", "שלום", "😀👩‍👩‍👧‍👦🏳️‍🌈",
                "\0\1\36\37\177\u0080", "\u2028\u2029\ufeff", "\uffff\ufffd", "\\\"/\b\f\n\r\t", "<script>&amp;'")) {
            assertEquals(text, echo(c, text));
            done(c.invoke("Join", text));
            done(c.invoke("Publish", text, text));
            assertEquals(text, inbox.next());
            assertTrue(failure(c.invoke("Fail", text)).endsWith("HubException: " + text));
        }
    }

    @Test
    @DisplayName("200 clients at once")
    void many() throws Exception {
        try (Program own = own()) {
            List<HubConnection> clients = IntStream.range(0, 200).mapToObj(i -> build(own.url + "bench")).toList();
            List<Inbox<String>> inboxes = clients.stream().map(Inbox::of).toList();
            for (HubConnection c : clients) done(c.start());
            Set<String> ids = new HashSet<>();
            for (HubConnection c : clients) ids.add(c.getConnectionId());
            assertEquals(200, ids.size(), "different connection ids");
            for (int i = 0; i < 200; i++) done(clients.get(i).invoke("Join", "group " + i % 10));
            done(clients.get(0).invoke("Broadcast", "all"));
            for (Inbox<String> inbox : inboxes) assertEquals("all", inbox.next());
            for (int i = 0; i < 10; i++) done(clients.get(i).invoke("Publish", "group " + i, "to " + i));
            for (int i = 0; i < 200; i++) assertEquals("to " + i % 10, inboxes.get(i).next());
            done(Completable.merge(clients.stream().map(HubConnection::stop).toList()));
        }
    }

    @Test
    @DisplayName("stop ends the connection without an error, and start begins anew")
    void stopAndStart() throws Exception {
        HubConnection c = build(bench());
        CompletableFuture<Exception> end = end(c);
        done(c.start());
        String first = c.getConnectionId();
        done(c.stop());
        assertNull(await(end));
        assertEquals(HubConnectionState.DISCONNECTED, c.getConnectionState());
        done(c.start());
        assertNotEquals(first, c.getConnectionId());
        assertEquals("2", echo(c, "2"));
    }
}
