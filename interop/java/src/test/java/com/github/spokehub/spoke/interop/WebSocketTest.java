package com.github.spokehub.spoke.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import com.microsoft.signalr.HubConnection;
import com.microsoft.signalr.HubConnectionState;
import com.microsoft.signalr.TransportEnum;
import io.reactivex.rxjava3.core.Observable;
import io.reactivex.rxjava3.subjects.ReplaySubject;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** All over a WebSocket, with what there is only there: a connection without negotiate, pings, and the order of what is sent without waiting for an answer. */
abstract class WebSocketTest extends ClientTest {
    @Override
    TransportEnum transport() {
        return TransportEnum.WEBSOCKETS;
    }

    @Test
    @DisplayName("connects without negotiate")
    void skipNegotiate() {
        HubConnection c = build(bench(), options -> options.shouldSkipNegotiate(true));
        done(c.start());
        assertNull(c.getConnectionId());
        assertEquals("x", echo(c, "x"));
    }

    @Test
    @DisplayName("a server that falls silent is given up")
    void silentServer() throws Exception {
        HubConnection c = build(probe.url + "probe", options -> options.withServerTimeout(2000));
        CompletableFuture<Exception> end = end(c);
        done(c.start());
        assertEquals("Server timeout elapsed without receiving a message from the server.", await(end).getMessage());
        assertEquals(HubConnectionState.DISCONNECTED, c.getConnectionState());
    }

    @Test
    @DisplayName("a client that falls silent is closed with leave to reconnect")
    void silentClient() throws Exception {
        HubConnection c = build(probe.url + "clienttimeout");
        CompletableFuture<Exception> end = end(c);
        c.setKeepAliveInterval(50); // the server's clock starts with the client's first ping
        done(c.start());
        Thread.sleep(1500); // the client looks once a second whether a ping is due
        c.setKeepAliveInterval(3_600_000);
        Exception error = await(end);
        assertEquals("Connection closed with an error.", error.getMessage());
        done(c.start());
        assertEquals("back", echo(c, "back"));
    }

    @Test
    @DisplayName("send needs no answer, and keeps the order")
    void send() throws Exception {
        try (Program own = own()) {
            HubConnection c = build(own.url + "bench");
            Inbox<Integer> inbox = new Inbox<>(c, "message", Integer.class);
            done(c.start());
            for (int i = 0; i < 100; i++) c.send("Broadcast", i);
            for (int i = 0; i < 100; i++) assertEquals(i, inbox.next());
            done(c.stop());
        }
    }

    @Test
    @DisplayName("streaming up: items, the end, an error")
    void up() {
        HubConnection c = started(probe.url + "probe");
        assertEquals("", get(c.invoke(String.class, "Concat", Observable.empty())));
        String joined = IntStream.range(0, 1000).mapToObj(i -> i + ".").collect(Collectors.joining());
        assertEquals(joined, get(c.invoke(String.class, "Concat", Observable.range(0, 1000).map(i -> i + "."))));
        ReplaySubject<String> failing = ReplaySubject.create();
        failing.onNext("a");
        failing.onError(new IllegalStateException("client says no"));
        String failed = get(c.invoke(String.class, "Concat", failing));
        assertEquals("a|HubException:java.lang.IllegalStateException: client says no", failed); // this client sends the whole exception as text
        ReplaySubject<Object> wrong = ReplaySubject.create();
        wrong.onNext("a");
        wrong.onNext(List.of(1));
        assertEquals("a|HubException:Failed to bind Stream message.", get(c.invoke(String.class, "Concat", wrong)));
        assertEquals("alive", echo(c, "alive"));
    }

    @Test
    @DisplayName("streaming up: two streams with a plain argument between them")
    void twoStreams() {
        HubConnection c = started(probe.url + "probe");
        assertEquals("ab>12", get(c.invoke(String.class, "ConcatApart", Observable.just("a", "b"), ">", Observable.just(1, 2))));
    }

    @Test
    @DisplayName("streaming up: a method that ends first")
    void methodEndsFirst() {
        HubConnection c = started(probe.url + "probe");
        ReplaySubject<String> items = ReplaySubject.create();
        items.onNext("a");
        assertEquals("a", get(c.invoke(String.class, "TakeOne", items)));
        for (int i = 0; i < 100; i++) items.onNext("late " + i);
        items.onComplete();
        assertEquals("alive", echo(c, "alive"));
    }

    @Test
    @DisplayName("streaming up: sent without waiting for an answer")
    void sent() {
        HubConnection c = started(probe.url + "probe");
        c.send("Concat", Observable.just("nobody asks for this"));
        assertEquals("alive", echo(c, "alive"));
    }

    @Test
    @DisplayName("streaming up and down in one call")
    void upAndDown() {
        HubConnection c = started(probe.url + "probe");
        ReplaySubject<String> items = ReplaySubject.create();
        for (String item : List.of("a", "b", "c")) items.onNext(item);
        items.onComplete();
        assertEquals(List.of("a!", "b!", "c!"), collect(c.stream(String.class, "Shout", items)));
    }
}
