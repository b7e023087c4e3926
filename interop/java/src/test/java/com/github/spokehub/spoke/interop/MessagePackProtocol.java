package com.github.spokehub.spoke.interop;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.microsoft.signalr.CancelInvocationMessage;
import com.microsoft.signalr.CloseMessage;
import com.microsoft.signalr.CompletionMessage;
import com.microsoft.signalr.HubMessage;
import com.microsoft.signalr.HubMessageType;
import com.microsoft.signalr.HubProtocol;
import com.microsoft.signalr.InvocationBinder;
import com.microsoft.signalr.InvocationBindingFailureMessage;
import com.microsoft.signalr.InvocationMessage;
import com.microsoft.signalr.PingMessage;
import com.microsoft.signalr.StreamBindingFailureMessage;
import com.microsoft.signalr.StreamInvocationMessage;
import com.microsoft.signalr.StreamItem;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;
import org.msgpack.jackson.dataformat.MessagePackFactory;
import org.msgpack.jackson.dataformat.TimestampExtensionModule;

/**
 * The hub protocol in MessagePack (wire contract, section 11) for the official client, which takes any {@link HubProtocol}. The client's own is in a
 * package apart, com.microsoft.signalr.messagepack, which the public registry that CI builds from does not serve.
 */
final class MessagePackProtocol implements HubProtocol {
    private static final int ERROR = 1;
    private static final int VOID = 2;
    private static final int RESULT = 3;

    private final ObjectMapper values =
        new ObjectMapper(new MessagePackFactory()).registerModule(TimestampExtensionModule.INSTANCE).disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

    @Override
    public String getName() {
        return "messagepack";
    }

    @Override
    public int getVersion() {
        return 1;
    }

    @Override
    public List<HubMessage> parseMessages(ByteBuffer payload, InvocationBinder binder) {
        List<HubMessage> messages = new ArrayList<>();
        while (payload.hasRemaining()) {
            int length = 0;
            byte group;
            for (int shift = 0; ; shift += 7) {
                group = payload.get();
                length |= (group & 0x7f) << shift;
                if (group >= 0) break;
            }
            // The server sends whole records (wire contract, section 25): a cut one throws here.
            byte[] record = new byte[length];
            payload.get(record);
            try {
                HubMessage message = parse(record, binder);
                if (message != null) messages.add(message);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return messages;
    }

    private HubMessage parse(byte[] record, InvocationBinder binder) throws IOException {
        try (MessageUnpacker in = MessagePack.newDefaultUnpacker(record)) {
            int items = in.unpackArrayHeader();
            int type = in.unpackInt();
            if (type == HubMessageType.PING.value) return PingMessage.getInstance();
            if (type == HubMessageType.CLOSE.value) return new CloseMessage(text(in), in.unpackBoolean());
            Map<String, String> headers = new HashMap<>();
            for (int n = in.unpackMapHeader(); n > 0; n--) headers.put(in.unpackString(), in.unpackString());
            String id = text(in);
            if (type == HubMessageType.INVOCATION.value) {
                String target = in.unpackString();
                Object[] arguments;
                try {
                    arguments = arguments(in, record, binder.getParameterTypes(target));
                } catch (RuntimeException | IOException e) {
                    return new InvocationBindingFailureMessage(id, target, e);
                }
                List<String> streams = new ArrayList<>();
                for (int n = items > 5 ? in.unpackArrayHeader() : 0; n > 0; n--) streams.add(in.unpackString());
                return new InvocationMessage(headers, id, target, arguments, streams);
            }
            if (type == HubMessageType.STREAM_ITEM.value) {
                try {
                    return new StreamItem(headers, id, value(in, record, binder.getReturnType(id)));
                } catch (RuntimeException | IOException e) {
                    return new StreamBindingFailureMessage(id, new Exception(e));
                }
            }
            if (type == HubMessageType.COMPLETION.value) {
                int kind = in.unpackInt();
                if (kind == ERROR) return new CompletionMessage(headers, id, null, in.unpackString());
                return new CompletionMessage(headers, id, kind == RESULT ? value(in, record, binder.getReturnType(id)) : null, null);
            }
            return null; // a kind that the client does not know
        }
    }

    private static String text(MessageUnpacker in) throws IOException {
        return in.tryUnpackNil() ? null : in.unpackString();
    }

    private Object[] arguments(MessageUnpacker in, byte[] record, List<Type> types) throws IOException {
        Object[] arguments = new Object[in.unpackArrayHeader()];
        if (arguments.length != types.size()) throw new IOException(arguments.length + " arguments came, " + types.size() + " are expected");
        for (int i = 0; i < arguments.length; i++) arguments[i] = value(in, record, types.get(i));
        return arguments;
    }

    /** Reads the value at the unpacker's place as a type; a missing type, as that of a result that nobody asked for, skips it. */
    private Object value(MessageUnpacker in, byte[] record, Type type) throws IOException {
        int begin = (int) in.getTotalReadBytes();
        in.skipValue();
        if (type == null) return null;
        int length = (int) in.getTotalReadBytes() - begin;
        return values.readValue(record, begin, length, values.getTypeFactory().constructType(type));
    }

    @Override
    public ByteBuffer writeMessage(HubMessage message) {
        try (MessageBufferPacker out = MessagePack.newDefaultBufferPacker()) {
            write(out, message);
            byte[] record = out.toByteArray();
            ByteArrayOutputStream framed = new ByteArrayOutputStream(record.length + 5);
            int rest = record.length;
            for (; rest > 0x7f; rest >>>= 7) framed.write(rest & 0x7f | 0x80);
            framed.write(rest);
            framed.write(record);
            return ByteBuffer.wrap(framed.toByteArray());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void write(MessageBufferPacker out, HubMessage message) throws IOException {
        HubMessageType type = message.getMessageType();
        switch (type) {
            case INVOCATION, STREAM_INVOCATION -> {
                InvocationMessage call = (InvocationMessage) message;
                head(out, 6, type, call.getInvocationId());
                out.packString(call.getTarget());
                Object[] arguments = call.getArguments();
                out.packArrayHeader(arguments.length);
                for (Object argument : arguments) write(out, argument);
                Collection<String> streams = call.getStreamIds() == null ? List.of() : call.getStreamIds();
                out.packArrayHeader(streams.size());
                for (String stream : streams) out.packString(stream);
            }
            case STREAM_ITEM -> {
                StreamItem item = (StreamItem) message;
                head(out, 4, type, item.getInvocationId());
                write(out, item.getItem());
            }
            case COMPLETION -> {
                CompletionMessage completion = (CompletionMessage) message;
                int kind = completion.getError() != null ? ERROR : completion.getResult() != null ? RESULT : VOID;
                head(out, kind == VOID ? 4 : 5, type, completion.getInvocationId());
                out.packInt(kind);
                if (kind == ERROR) out.packString(completion.getError());
                if (kind == RESULT) write(out, completion.getResult());
            }
            case CANCEL_INVOCATION -> head(out, 3, type, ((CancelInvocationMessage) message).getInvocationId());
            case PING -> {
                out.packArrayHeader(1);
                out.packInt(type.value);
            }
            case CLOSE -> {
                CloseMessage close = (CloseMessage) message;
                out.packArrayHeader(3);
                out.packInt(type.value);
                if (close.getError() == null) out.packNil();
                else out.packString(close.getError());
                out.packBoolean(close.getAllowReconnect());
            }
            default -> throw new IOException("a client does not send messages of type " + type);
        }
    }

    private static void head(MessageBufferPacker out, int items, HubMessageType type, String id) throws IOException {
        out.packArrayHeader(items);
        out.packInt(type.value);
        out.packMapHeader(0);
        if (id == null) out.packNil();
        else out.packString(id);
    }

    private void write(MessageBufferPacker out, Object value) throws JsonProcessingException, IOException {
        out.writePayload(values.writeValueAsBytes(value));
    }
}
