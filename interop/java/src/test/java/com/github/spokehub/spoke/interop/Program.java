package com.github.spokehub.spoke.interop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A running server under test; its binary is named by a system property ("spoked", "probe"). */
final class Program implements AutoCloseable {
    private static final long START_LIMIT = 60; // seconds
    private static final long STOP_LIMIT = 60; // seconds
    private static final Pattern ADMIN = Pattern.compile("admin listener.* url=(\\S+)");
    private static final Pattern RUNNING = Pattern.compile("\"CallsRunning\":\\s*([0-9]+)");
    private static final Pattern SERVING = Pattern.compile("^(?:Spoke is serving|listening on) (https?:\\S+?)/?$");

    /** Where it serves, with a slash at the end. */
    final String url;
    private final String admin;
    private final Process process;

    private Program(Process process, String url, String admin) {
        this.process = process;
        this.url = url;
        this.admin = admin;
    }

    /** The program spoked with the hub /bench, over http or https; port 0 takes a free one. */
    static Program spoked(String scheme, int port, String... flags) throws IOException {
        List<String> command = new ArrayList<>(List.of(binary("spoked"), "-bench", "-addr", "127.0.0.1:" + port));
        command.addAll(certificate(scheme));
        command.addAll(List.of(flags));
        return start(command);
    }

    /** The server of the recorded exchanges, with the hubs of interop/probe/hubs. */
    static Program probe(String scheme) throws IOException {
        List<String> command = new ArrayList<>(List.of(binary("probe"), "-urls", scheme + "://127.0.0.1:0"));
        command.addAll(certificate(scheme));
        return start(command);
    }

    private static List<String> certificate(String scheme) throws IOException {
        if (scheme.equals("http")) return List.of();
        return List.of("-tls-cert", Certificate.made().file().toString(), "-tls-key", Certificate.made().key().toString());
    }

    static String binary(String name) {
        String path = System.getProperty(name);
        if (path == null) throw new IllegalStateException("the tests want the path of the server in -D" + name + "=…: see interop/java/README.md");
        return path;
    }

    private static Program start(List<String> command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        // A server must not outlive a test run that is ended from outside.
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
        BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        String url = null;
        String admin = null;
        StringBuilder said = new StringBuilder();
        for (String line; (line = out.readLine()) != null; ) {
            said.append(line).append('\n');
            Matcher serving = SERVING.matcher(line);
            if (serving.matches()) url = serving.group(1) + "/";
            Matcher administration = ADMIN.matcher(line);
            if (administration.find()) admin = administration.group(1);
            if (url == null || admin == null && command.contains("-admin-addr")) continue;
            Thread drain = new Thread(() -> out.lines().forEach(unread -> { }), "output of " + command.get(0));
            drain.setDaemon(true);
            drain.start();
            return new Program(process, url, admin);
        }
        throw new IOException(command + " ended before it served; it said:\n" + said);
    }

    /** Waits until the server runs a hub method; it must have the flag -admin-addr. */
    void awaitRunningCall() throws IOException {
        long limit = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_LIMIT);
        while (System.nanoTime() < limit) {
            try (InputStream in = URI.create(admin + "metrics.json").toURL().openStream()) {
                Matcher running = RUNNING.matcher(new String(in.readAllBytes(), StandardCharsets.UTF_8));
                if (running.find() && Integer.parseInt(running.group(1)) > 0) return;
            }
        }
        throw new IOException("waited " + START_LIMIT + " s in vain for a running call");
    }

    int port() {
        return URI.create(url).getPort();
    }

    /** Sends SIGTERM and waits for the end: the exit code. */
    int stop() throws InterruptedException {
        process.toHandle().destroy(); // Process.destroy would also close the pipe that the server logs to
        if (!process.waitFor(STOP_LIMIT, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new IllegalStateException("the server did not drain within " + STOP_LIMIT + " s");
        }
        return process.exitValue();
    }

    @Override
    public void close() throws InterruptedException {
        stop();
    }
}
