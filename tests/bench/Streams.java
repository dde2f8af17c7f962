// The job in Kafka Streams. Arguments: brokers, application, source, decisions, state directory, then name=value settings.

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

public final class Streams {
    private static final String STORE = "states";
    private static final int LAST = 10;

    static final class Counting implements Processor<byte[], byte[], byte[], byte[]> {
        private final ObjectMapper json = new ObjectMapper();
        private ProcessorContext<byte[], byte[]> context;
        private KeyValueStore<byte[], byte[]> states;

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
            states = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            try {
                long id = json.readTree(record.value()).get("id").asLong();
                byte[] body = states.get(record.key());
                ObjectNode state = body == null ? json.createObjectNode() : (ObjectNode) json.readTree(body);
                int count = state.path("n").asInt() + 1;
                ArrayNode last = state.withArray("last");
                last.add(id);
                if (last.size() > LAST) {
                    last.remove(0);
                }
                states.put(record.key(), json.writeValueAsBytes(state.put("n", count)));
                ObjectNode answer = json.createObjectNode().put("id", id).put("d", "suppress").put("n", count);
                context.forward(record.withValue(json.writeValueAsBytes(answer)));
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    }

    public static void main(String[] args) throws InterruptedException {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
        settings.put("auto.offset.reset", "earliest");
        for (int place = 5; place < args.length; place++) {
            String[] pair = args[place].split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        Serdes.ByteArraySerde raw = new Serdes.ByteArraySerde();
        Topology topology = new Topology();
        topology.addSource("events", raw.deserializer(), raw.deserializer(), args[2]);
        topology.addProcessor("counting", Counting::new, "events");
        topology.addStateStore(
            Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), raw, raw).withCachingDisabled(),
            "counting");
        topology.addSink("decisions", args[3], raw.serializer(), raw.serializer(), "counting");
        KafkaStreams streams = new KafkaStreams(topology, settings);
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close();
            ended.countDown();
        }));
        streams.start();
        ended.await();
    }
}
