import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Publishes events about a customer. Copy {@code send}; the three events of {@code main} are only a story.
 *
 *   mvn -q dependency:copy-dependencies -DoutputDirectory=libs
 *   KAFKA=127.0.0.1:9092 java -cp 'libs/*' EventProducer.java c-42
 */
public class EventProducer implements AutoCloseable {
    /** Where each type belongs; all of them stand in contract/asyncapi.json. */
    static final Map<String, String> TOPICS = Map.of(
        "consent.granted", "customers",
        "purchase.completed", "purchases",
        "contact.requested", "contact-requests");
    static final ObjectMapper JSON = new ObjectMapper();

    private final KafkaProducer<String, byte[]> producer;
    private final List<Future<RecordMetadata>> sent = new ArrayList<>();

    EventProducer(String brokers) {
        // acks=all, idempotence and the partitioner that is needed (murmur2 of the key) are this client's defaults.
        Map<String, Object> options = Map.of("bootstrap.servers", brokers, "linger.ms", 5);
        producer = new KafkaProducer<>(options, new StringSerializer(), new ByteArraySerializer());
    }

    /** {@code id}: of your own record, if it has one. The same source and id sent again say nothing new. */
    void send(String type, String id, String customer, Map<String, ?> data) throws Exception {
        Map<String, Object> event = new LinkedHashMap<>();
        event.put("specversion", "1.0");
        event.put("id", id);
        event.put("source", "/shop");
        event.put("type", type);
        event.put("time", Instant.now().toString()); // when it happened
        event.put("subject", customer);
        event.put("data", data);
        // The key is the subject, so that all of a customer is in order.
        var record = new ProducerRecord<>(TOPICS.get(type), customer, JSON.writeValueAsBytes(event));
        record.headers().add("content-type", "application/cloudevents+json".getBytes(StandardCharsets.UTF_8));
        sent.add(producer.send(record));
    }

    /** Waits until Kafka has all of them; throws if it has not. */
    @Override
    public void close() throws Exception {
        producer.flush();
        for (var one : sent) {
            one.get();
        }
        producer.close();
    }

    static String fresh() {
        return UUID.randomUUID().toString();
    }

    public static void main(String[] customers) throws Exception {
        // Money is a decimal string, never a float.
        var line = Map.of("sku", "EREADER-1", "quantity", 1, "unit_price", "100.00");
        var offer = Map.of(
            "action", "ereader_sale", "class", "marketing", "channels", List.of("sms", "email"), "sku", "EREADER-1");
        try (var outlet = new EventProducer(System.getenv().getOrDefault("KAFKA", "127.0.0.1:9092"))) {
            for (String customer : customers) {
                outlet.send("consent.granted", fresh(), customer, Map.of("purpose", "marketing"));
                outlet.send("purchase.completed", fresh(), customer,
                    Map.of("order_id", fresh(), "currency", "GBP", "lines", List.of(line)));
                // May we speak, and how? The answer comes on the topic `decisions`, with this request_id.
                outlet.send("contact.requested", fresh(), customer,
                    Map.of("request_id", fresh(), "candidates", List.of(offer)));
            }
        }
    }
}
