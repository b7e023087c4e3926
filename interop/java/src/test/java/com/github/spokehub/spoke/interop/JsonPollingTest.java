package com.github.spokehub.spoke.interop;

import com.microsoft.signalr.HubProtocol;
import org.junit.jupiter.api.DisplayName;

@DisplayName("Java " + Clients.VERSION + ", JSON, LongPolling, http")
class JsonPollingTest extends PollingTest {
    @Override
    HubProtocol protocol() {
        return null; // the client's own default
    }
}
