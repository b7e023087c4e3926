package com.github.spokehub.spoke.interop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.microsoft.signalr.HubConnection;
import com.microsoft.signalr.HubConnectionState;
import com.microsoft.signalr.TransportEnum;
import io.reactivex.rxjava3.core.Single;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import okhttp3.Response;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Typed values, error texts, events of a connection, timeouts and client results, against the hubs of interop/probe. */
abstract class ProbeTest extends StreamTest {
    /** The hubs' object with a value of each kind, as JSON has it. */
    static final class JsonComplex {
        String name;
        int value;
        String when;
        String bytes;
        String id;
        int color;
    }

    /** The same in MessagePack, whose members have their own names. */
    static final class PackedComplex {
        @JsonProperty("Name") String name;
        @JsonProperty("Value") int value;
        @JsonProperty("When") Instant when;
        @JsonProperty("Bytes") byte[] bytes;
        @JsonProperty("Id") String id;
        @JsonProperty("Color") String color;
    }

    @Test
    @DisplayName("typed values: text, numbers, nothing, null")
    void typedValues() {
        HubConnection c = started(probe.url + "probe");
        for (String text : List.of("", "text", "Grüße 😀")) assertEquals(text, echo(c, text));
        done(c.invoke("Echo", new Object[] {null}));
        assertEquals(3, get(c.invoke(Integer.class, "Add", 1, 2)));
        assertEquals(-1, get(c.invoke(Integer.class, "Add", Integer.MIN_VALUE, Integer.MAX_VALUE)));
        done(c.invoke("Nothing"));
        done(c.invoke("Null"));
        assertEquals("renamed", get(c.invoke(String.class, "renamed")));
        for (boolean b : new boolean[] {true, false}) assertEquals(b, get(c.invoke(Boolean.class, "EchoAny", b)));
        for (byte n : new byte[] {0, -1, 127, -128}) assertEquals(n, get(c.invoke(Byte.class, "EchoAny", n)));
        for (long n : new long[] {255, 256, 65_536, 1L << 31, 1L << 32, Long.MAX_VALUE, Long.MIN_VALUE}) assertEquals(n, get(c.invoke(Long.class, "EchoAny", n)));
        for (double n : new double[] {0.5, -1e-7, 1e300}) assertEquals(n, get(c.invoke(Double.class, "EchoAny", n)));
        assertEquals(0.25f, get(c.invoke(Float.class, "EchoAny", 0.25f)));
        assertEquals("Failed to invoke 'Add' due to an error on the server.", failure(c.invoke(Integer.class, "Add", "1", 2)));
        assertEquals("Failed to invoke 'Add' due to an error on the server.", failure(c.invoke(Integer.class, "Add", 1L << 31, 0)));
    }

    @Test
    @DisplayName("typed values: an object with a date, bytes, an id and an enum")
    void typedObject() {
        HubConnection c = started(probe.url + "probe");
        String id = "00010203-0405-0607-0706-050403020100";
        if (protocol() == null) {
            JsonComplex value = get(c.invoke(JsonComplex.class, "ComplexValue"));
            for (JsonComplex v : List.of(value, get(c.invoke(JsonComplex.class, "EchoComplex", value)))) {
                assertEquals(List.of("n<&>é\"", 42, "2002-04-01T10:20:15Z", "AQID", id, 1), List.of(v.name, v.value, v.when, v.bytes, v.id, v.color));
            }
        } else {
            PackedComplex value = get(c.invoke(PackedComplex.class, "ComplexValue"));
            for (PackedComplex v : List.of(value, get(c.invoke(PackedComplex.class, "EchoComplex", value)))) {
                assertEquals(List.of("n<&>é\"", 42, Instant.parse("2002-04-01T10:20:15Z"), id, "Green"), List.of(v.name, v.value, v.when, v.id, v.color));
                assertArrayEquals(new byte[] {1, 2, 3}, v.bytes);
            }
        }
        done(c.invoke("EchoComplex", new Object[] {null}));
    }

    @Test
    @DisplayName("1 MiB of text from the server in one message")
    void largeResult() {
        HubConnection c = started(probe.url + "probe");
        assertTrue("a".repeat(1 << 20).equals(get(c.invoke(String.class, "Text", 1 << 20))), "another text came");
    }

    @Test
    @DisplayName("error texts with detailed errors off")
    void errorTexts() {
        HubConnection c = started(probe.url + "probe");
        assertEquals("An unexpected error occurred invoking 'Fail' on the server.", failure(c.invoke("Fail", "secret")));
        assertEquals("An unexpected error occurred invoking 'FailHub' on the server. HubException: open", failure(c.invoke("FAILHUB", "open")));
        assertEquals("An unexpected error occurred invoking 'FailMyHub' on the server. MyHubException: mine", failure(c.invoke("FailMyHub", "mine")));
        assertEquals("Failed to invoke 'Missing' due to an error on the server. HubException: Method does not exist.", failure(c.invoke("Missing")));
        assertEquals("Failed to invoke 'Echo' due to an error on the server.", failure(c.invoke("Echo")));
        assertEquals("Failed to invoke 'Secret' because user is unauthorized", failure(c.invoke("Secret")));
        assertEquals("alive", echo(c, "alive"));
    }

    @Test
    @DisplayName("error texts with detailed errors on")
    void detailedErrorTexts() {
        HubConnection c = started(probe.url + "detailed");
        assertEquals("An unexpected error occurred invoking 'Fail' on the server. InvalidOperationException: shown", failure(c.invoke("Fail", "shown")));
        assertEquals(
            "Failed to invoke 'Echo' due to an error on the server. InvalidDataException: Invocation provides 0 argument(s) but target expects 1.",
            failure(c.invoke("Echo")));
    }

    @Test
    @DisplayName("a hub that does not speak the client's protocol refuses the handshake")
    void refusedHandshake() throws Exception {
        boolean json = protocol() == null;
        HubConnection c = build(probe.url + (json ? "messagepackonly" : "jsononly"));
        String error = failure(c.start());
        boolean told = error.contains("The protocol '" + (json ? "json" : "messagepack") + "' is not supported.");
        // With polls this client hands what has come to another thread and polls on, so that it may take the end, which comes with the next poll, for the first thing that it has heard;
        // and that even before it knows that its own POST is answered.
        boolean overtaken = transport() == TransportEnum.LONG_POLLING
            && List.of("Connection closed while waiting for handshake.", "Connection closed while sending handshake.").contains(error);
        assertTrue(told || overtaken, error);
        disconnected(c);
    }

    @Test
    @DisplayName("the connected event calls the client before its first answer")
    void connectedEvent() throws Exception {
        HubConnection c = build(probe.url + "welcome");
        Inbox<String> inbox = Inbox.of(c);
        done(c.start());
        assertEquals("x", echo(c, "x"));
        assertEquals("welcome", inbox.next());
        assertEquals("ready", inbox.next());
    }

    @Test
    @DisplayName("a connected event that fails ends the connection for good")
    void failingConnectedEvent() throws Exception {
        for (String hub : List.of("failconnect", "failconnect-detailed")) {
            String want = "Connection closed with an error." + (hub.endsWith("detailed") ? " InvalidOperationException: no entry" : "");
            // The client reads what a poll brings while it makes the next one, whose answer, that all is over, may be known first: then there is no error. So
            // several may be needed.
            String text = null;
            for (int tries = 0; tries < 20 && !want.equals(text); tries++) {
                HubConnection c = build(probe.url + hub);
                CompletableFuture<Exception> end = end(c);
                // The handshake has succeeded before the event fails, so start may succeed, too.
                c.start().onErrorComplete().blockingAwait(PATIENCE, TimeUnit.SECONDS);
                Exception error = await(end);
                assertEquals(HubConnectionState.DISCONNECTED, c.getConnectionState());
                if (error != null || transport() == TransportEnum.WEBSOCKETS) text = error.getMessage();
            }
            assertEquals(want, text);
        }
    }

    @Test
    @DisplayName("calls of one client run one after the other, or side by side where the hub allows it")
    void parallelCalls() throws Exception {
        for (String hub : List.of("probe", "parallel")) {
            Semaphore posts = new Semaphore(0); // that were answered
            HubConnection c = build(probe.url + hub, options -> { }, http -> http.addInterceptor(chain -> {
                Response answer = chain.proceed(chain.request());
                if (chain.request().method().equals("POST")) posts.release();
                return answer;
            }));
            done(c.start());
            boolean parallel = hub.equals("parallel");
            AtomicReference<String> first = new AtomicReference<>();
            CompletableFuture<Void> slow = new CompletableFuture<>();
            CompletableFuture<Void> quick = new CompletableFuture<>();
            c.invoke("Sleep", parallel ? 1500 : 50).doOnComplete(() -> first.compareAndSet(null, "slow")).subscribe(() -> slow.complete(null), slow::completeExceptionally);
            // Over long polling the client sends all at once; so the first call must have come: after negotiate and the handshake it is the third POST.
            if (transport() == TransportEnum.LONG_POLLING) assertTrue(posts.tryAcquire(3, PATIENCE, TimeUnit.SECONDS), "the first call's POST");
            c.invoke("Echo", "x").doOnComplete(() -> first.compareAndSet(null, "quick")).subscribe(() -> quick.complete(null), quick::completeExceptionally);
            await(slow);
            await(quick);
            assertEquals(parallel ? "quick" : "slow", first.get(), "what ends first on " + hub);
        }
    }

    @Test
    @DisplayName("an idle connection is kept: by pings of both sides, or by its poll")
    void idle() throws Exception {
        // The server pings each second and the client does, too; after 5 s of silence each would give the other up. Where the client polls, nobody pings and nobody
        // gives up.
        HubConnection c = build(probe.url + "idle", options -> options.withServerTimeout(5000).withKeepAliveInterval(1000));
        CompletableFuture<Exception> end = end(c);
        done(c.start());
        Assertions.assertThrows(TimeoutException.class, () -> end.get(7, TimeUnit.SECONDS), "it was closed");
        assertEquals("x", echo(c, "x"));
    }

    @Test
    @DisplayName("client results: a value, a promise, null")
    void results() {
        for (String answer : List.of("yes", "", "😀é")) {
            HubConnection c = build(probe.url + "probe");
            c.onWithResult("Result", () -> Single.just(answer));
            done(c.start());
            assertEquals("got:" + answer, get(c.invoke(String.class, "AskMe")));
        }
        HubConnection c = build(probe.url + "probe");
        c.onWithResult("Result", () -> Single.just("later").delay(20, TimeUnit.MILLISECONDS));
        done(c.start());
        assertEquals("got:later", get(c.invoke(String.class, "AskMe")));
    }

    @Test
    @DisplayName("client results: a failure, an answer of the wrong type, no answer")
    void failingResults() {
        HubConnection c = started(probe.url + "probe");
        assertEquals("HubException:Client did not provide a result.", get(c.invoke(String.class, "AskMe")), "no handler");
        c.onWithResult("Result", () -> Single.error(new IllegalStateException("no")));
        assertEquals("HubException:no", get(c.invoke(String.class, "AskMe")));
        c.remove("Result");
        c.onWithResult("Result", () -> Single.just(List.of(1)));
        String wrong = get(c.invoke(String.class, "AskMe"));
        assertTrue(wrong.startsWith("HubException:Error trying to deserialize result to String. "), wrong);
        c.remove("Result");
        c.onWithResult("Result", () -> Single.just("yes"));
        assertEquals("got:yes", get(c.invoke(String.class, "AskMe")));
    }

    @Test
    @DisplayName("client results: several questions at once")
    void severalQuestions() throws Exception {
        HubConnection c = build(probe.url + "parallel");
        CountDownLatch both = new CountDownLatch(2);
        CompletableFuture<String> answer = new CompletableFuture<>();
        c.onWithResult("Result", () -> {
            both.countDown();
            return Single.fromCompletionStage(answer);
        });
        done(c.start());
        CompletableFuture<String> one = c.<String>invoke(String.class, "AskMe").toCompletionStage().toCompletableFuture();
        CompletableFuture<String> two = c.<String>invoke(String.class, "AskMe").toCompletionStage().toCompletableFuture();
        assertTrue(both.await(PATIENCE, TimeUnit.SECONDS), "both questions");
        assertEquals("x", echo(c, "x"), "a call meanwhile");
        answer.complete("yes");
        assertEquals("got:yes", await(one));
        assertEquals("got:yes", await(two));
    }
}
