package com.github.spokehub.spoke.interop;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.microsoft.signalr.HubConnection;
import io.reactivex.rxjava3.core.Observable;
import io.reactivex.rxjava3.core.Single;
import io.reactivex.rxjava3.disposables.Disposable;
import io.reactivex.rxjava3.observers.TestObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Streams of the server, against the hubs of interop/probe. */
abstract class StreamTest extends Clients {
    static List<Integer> range(int n) {
        return IntStream.range(0, n).boxed().toList();
    }

    static <T> List<T> collect(Observable<T> stream) {
        return get(stream.toList());
    }

    /** Wants some items, then a failure with exactly this text. */
    private static void assertFailsAfter(Observable<?> stream, List<?> items, String text) throws InterruptedException {
        TestObserver<Object> seen = new TestObserver<>();
        stream.map(item -> (Object) item).subscribe(seen);
        seen.await(PATIENCE, TimeUnit.SECONDS);
        seen.assertError(error -> {
            assertEquals(text, error.getMessage());
            return true;
        });
        assertEquals(items, seen.values());
    }

    @Test
    @DisplayName("streaming down: items in order, then the end")
    void down() {
        HubConnection c = started(probe.url + "probe");
        assertEquals(range(3), collect(c.stream(Integer.class, "Count", 3, 0)));
        assertEquals(range(0), collect(c.stream(Integer.class, "Count", 0, 0)));
        assertEquals(range(2), collect(c.stream(Integer.class, "count", 2, 20)));
        assertEquals(range(20_000), collect(c.stream(Integer.class, "Count", 20_000, 0)));
        List<Single<List<Integer>>> streams = new ArrayList<>();
        for (int i = 0; i < 20; i++) streams.add(c.<Integer>stream(Integer.class, "Count", 100, 0).toList().cache());
        for (Single<List<Integer>> stream : streams) stream.subscribe();
        for (Single<List<Integer>> stream : streams) assertEquals(range(100), get(stream));
    }

    @Test
    @DisplayName("streaming down: calls go on meanwhile")
    void callsMeanwhile() throws Exception {
        HubConnection c = started(probe.url + "probe");
        CompletableFuture<Integer> first = new CompletableFuture<>();
        CompletableFuture<Void> end = new CompletableFuture<>();
        Disposable stream =
            c.<Integer>stream(Integer.class, "Count", 1_000_000, 5).subscribe(first::complete, end::completeExceptionally, () -> end.complete(null));
        assertEquals(0, await(first));
        assertEquals("x", echo(c, "x"));
        assertEquals(false, end.isDone(), "the stream has ended");
        stream.dispose();
    }

    @Test
    @DisplayName("streaming down: the stream's errors")
    void downErrors() throws Exception {
        String late = "An error occurred on the server while streaming results.";
        String early = "An unexpected error occurred invoking 'FailBefore' on the server.";
        for (String hub : List.of("probe", "detailed")) {
            HubConnection c = started(probe.url + hub);
            String detail = hub.equals("detailed") ? " InvalidOperationException: " : null;
            assertFailsAfter(c.stream(Integer.class, "CountFail", 2), range(2), detail == null ? late : late + detail + "late");
            assertFailsAfter(c.stream(Integer.class, "CountFailHub", 1), range(1), late + " HubException: late");
            assertFailsAfter(c.stream(Integer.class, "FailBefore"), range(0), detail == null ? early : early + detail + "early");
            assertFailsAfter(
                c.stream(Integer.class, "Missing"), range(0),
                "Failed to invoke 'Missing' due to an error on the server. HubException: Method does not exist.");
            assertEquals("alive", echo(c, "alive"));
        }
    }

    @Test
    @DisplayName("streaming down: a call of the wrong kind")
    void wrongKind() throws Exception {
        HubConnection c = started(probe.url + "probe");
        assertEquals(
            "The client attempted to invoke the streaming 'Count' method with a non-streaming invocation.", failure(c.invoke(Integer.class, "Count", 3, 0)));
        assertFailsAfter(
            c.stream(String.class, "Echo", "x"), List.of(),
            "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation.");
    }

    @Test
    @DisplayName("streaming down: cancelled by the client")
    void cancel() throws Exception {
        HubConnection c = started(probe.url + "probe");
        CompletableFuture<Integer> first = new CompletableFuture<>();
        Disposable stream = c.<Integer>stream(Integer.class, "Count", 1_000_000, 5).subscribe(first::complete, first::completeExceptionally);
        await(first);
        assertEquals(1, get(c.invoke(Integer.class, "Counting")), "streams under way");
        stream.dispose();
        long limit = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE);
        while (get(c.invoke(Integer.class, "Counting")) != 0 && System.nanoTime() < limit) Thread.onSpinWait();
        assertEquals(0, get(c.invoke(Integer.class, "Counting")), "streams under way after the cancel");
        assertEquals(range(3), collect(c.stream(Integer.class, "Count", 3, 0)));
    }
}
