import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.*;
import java.nio.file.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.*;

/**
 * A channel: says what is decided, once, in time and not after its recall, and answers what became of it.
 *
 *   mvn -q dependency:copy-dependencies -DoutputDirectory=libs
 *   KAFKA=127.0.0.1:9092 java -cp 'libs/*' ChannelConsumer.java sms
 *
 * Put your provider in place of {@code say}, and for several processes a database in place of the file of fates.
 * `hold` and `release` are for those who speak without asking (ad audiences, the till): here nobody does.
 */
public class ChannelConsumer {
    static final ObjectMapper JSON = new ObjectMapper();
    static String outcome(ObjectNode one) { return one.at("/data/outcome").asText(); }

    final String name;
    /** What became of each act, decided once: gone, recalled or expired. Lines of it may go after eight days. */
    final Map<String, String> fates = new HashMap<>();
    final FileOutputStream file;
    final KafkaProducer<String, byte[]> producer;

    ChannelConsumer(String name, String brokers) throws IOException {
        this.name = name;
        Path path = Path.of(name + ".fates");
        for (String line : Files.exists(path) ? Files.readAllLines(path) : List.<String>of()) {
            String[] words = line.split(" "); // a torn last line is of an act that was not yet said
            if (words.length == 3) fates.putIfAbsent(words[0], words[1]);
        }
        file = new FileOutputStream(path.toFile(), true);
        if (Files.size(path) > 0) file.write('\n');
        Map<String, Object> options = Map.of("bootstrap.servers", brokers); // defaults: idempotence, murmur2 of the key
        producer = new KafkaProducer<>(options, new StringSerializer(), new ByteArraySerializer());
    }

    /** Whether this is its fate from now on, on the disk; false: it had one. */
    boolean settle(String id, String fate) throws IOException {
        if (fates.putIfAbsent(id, fate) != null) return false;
        file.write((id + " " + fate + " " + Instant.now() + "\n").getBytes());
        file.getFD().sync();
        return true;
    }

    void handle(List<ObjectNode> decisions) throws Exception {
        var ours = decisions.stream().filter(one -> name.equals(one.at("/data/channel").asText())).toList();
        // First of all the recalls: a batch may hold an act and its recall, in either order.
        for (var one : ours) if (outcome(one).equals("recall")) settle(one.at("/data/recalls").asText(), "recalled");
        var answers = new ArrayList<Future<?>>(); // what Kafka has not acknowledged, the next start answers again
        for (var one : ours) {
            String id = one.get("id").asText();
            Map<String, Object> said = Map.of("decision_id", id, "channel", name);
            if (outcome(one).equals("recall")) {
                id = one.at("/data/recalls").asText();
                boolean inTime = !"gone".equals(fates.get(id));
                answers.add(answer(one, "recalled", Map.of("decision_id", id, "in_time", inTime)));
            } else if (outcome(one).equals("act")) {
                Instant end = OffsetDateTime.parse(one.at("/data/valid_until").asText()).toInstant();
                if (!Instant.now().isBefore(end)) settle(id, "expired");
                // Written before it goes out: a crash loses this act, and never says it twice.
                if (settle(id, "gone")) answers.add(answer(one, say(one) ? "delivered" : "failed", said));
                else if ("expired".equals(fates.get(id))) answers.add(answer(one, "expired", said)); // frees its cap
            }
        }
        for (var one : answers) one.get();
    }

    Future<?> answer(ObjectNode one, String kind, Map<String, Object> data) throws IOException {
        var customer = one.get("subject").asText();
        var event = Map.of(
            "specversion", "1.0", "id", data.get("decision_id") + "-" + kind, "source", "/channel/" + name,
            "type", "response." + kind, "time", Instant.now().toString(), "subject", customer, "data", data);
        return producer.send(new ProducerRecord<>("responses", customer, JSON.writeValueAsBytes(event)));
    }

    /** Your provider; false: it was refused and did not go out. */
    boolean say(ObjectNode act) {
        System.out.printf("to %s by %s: %s%n", act.get("subject").asText(), name, act.at("/data/action").asText());
        return true;
    }

    /** A decision, as a structured CloudEvent or as a binary one; what cannot be read ends the process. */
    static ObjectNode read(ConsumerRecord<String, byte[]> record) throws IOException {
        JsonNode value = JSON.readTree(record.value());
        ObjectNode found = JSON.createObjectNode();
        for (var at : record.headers())
            if (at.key().startsWith("ce_")) found.put(at.key().substring(3), new String(at.value(), "UTF-8"));
        return found.isEmpty() ? (ObjectNode) value : found.set("data", value);
    }

    public static void main(String[] arguments) throws Exception {
        String brokers = System.getenv().getOrDefault("KAFKA", "127.0.0.1:9092");
        String group = System.getenv().getOrDefault("GROUP", "channel-" + arguments[0]);
        var options = Map.<String, Object>of("bootstrap.servers", brokers, "group.id", group,
            "auto.offset.reset", "earliest", "enable.auto.commit", false); // only what is handled is committed
        var channel = new ChannelConsumer(arguments[0], brokers);
        try (var consumer = new KafkaConsumer<>(options, new StringDeserializer(), new ByteArrayDeserializer())) {
            var main = Thread.currentThread();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> { // SIGTERM: the batch in hand is finished first
                consumer.wakeup();
                try { main.join(10_000); } catch (InterruptedException left) { }
            }));
            consumer.subscribe(List.of("decisions"));
            while (true) {
                var decisions = new ArrayList<ObjectNode>();
                for (var record : consumer.poll(Duration.ofMillis(500))) decisions.add(read(record));
                channel.handle(decisions);
                if (!decisions.isEmpty()) consumer.commitSync();
            }
        } catch (WakeupException asked) { }
    }
}
