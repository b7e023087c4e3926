package com.github.spokehub.spoke.interop;

import com.microsoft.signalr.HubProtocol;
import org.junit.jupiter.api.DisplayName;

@DisplayName("Java " + Clients.VERSION + ", MessagePack")
final class MessagePackTest extends ClientTest {
    @Override
    HubProtocol protocol() {
        return new MessagePackProtocol();
    }
}
