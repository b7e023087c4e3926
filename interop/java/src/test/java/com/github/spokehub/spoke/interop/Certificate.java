package com.github.spokehub.spoke.interop;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import okhttp3.OkHttpClient;

/** The certificate of the servers of https under test, which the probe makes once for a run (-certificate). */
final class Certificate {
    private static Certificate made;
    private final Path folder;
    private final SSLContext context;
    private final X509TrustManager trust;

    private Certificate() throws IOException {
        folder = Files.createTempDirectory("spoke-interop-");
        for (Path path : new Path[] {folder, key(), file()}) path.toFile().deleteOnExit(); // the last one first
        try {
            Process probe = new ProcessBuilder(Program.binary("probe"), "-certificate", folder.toString()).inheritIO().start();
            if (probe.waitFor() != 0) throw new IOException("the probe has made no certificate");
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            try (InputStream in = Files.newInputStream(file())) {
                store.setCertificateEntry("server", CertificateFactory.getInstance("X.509").generateCertificate(in));
            }
            TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            factory.init(store);
            trust = (X509TrustManager) factory.getTrustManagers()[0];
            context = SSLContext.getInstance("TLS");
            context.init(null, new TrustManager[] {trust}, null);
        } catch (GeneralSecurityException | InterruptedException e) {
            throw new IOException("the servers' certificate", e);
        }
    }

    static synchronized Certificate made() throws IOException {
        if (made == null) made = new Certificate();
        return made;
    }

    Path file() {
        return folder.resolve("cert.pem");
    }

    Path key() {
        return folder.resolve("key.pem");
    }

    /** Has a client trust it, and nothing else. */
    void trustedBy(OkHttpClient.Builder http) {
        http.sslSocketFactory(context.getSocketFactory(), trust);
    }
}
