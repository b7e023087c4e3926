package com.github.spokehub.spoke.interop;

import com.microsoft.signalr.HubProtocol;
import org.junit.jupiter.api.DisplayName;

@DisplayName("Java " + Clients.VERSION + ", MessagePack, LongPolling, http")
class MessagePackPollingTest extends PollingTest {
    @Override
    HubProtocol protocol() {
        return new MessagePackProtocol();
    }
}
