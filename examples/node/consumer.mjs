// A channel: says what is decided, once, in time and not after its recall, and answers what became of it.
//
//   npm ci
//   KAFKA=127.0.0.1:9092 node consumer.mjs sms
//
// Put your provider in place of `say`, and for several processes a database in place of the file of fates.
// `hold` and `release` are for those who speak without asking (ad audiences, the till): here nobody does.
import { existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { Consumer, ProduceAcks, Producer } from '@platformatic/kafka'
import { compatibilityPartitioner, stringDeserializers, stringSerializers } from '@platformatic/kafka'

// What became of each act, decided once: gone, recalled or expired. Lines of the file may go after eight days.
class Fates {
  #fates = new Map()
  #file

  constructor(path) {
    for (const line of existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []) {
      const [id, fate, at] = line.split(' ') // a torn last line is of an act that was not yet said
      if (at && !this.#fates.has(id)) this.#fates.set(id, fate)
    }
    this.#file = openSync(path, 'a')
    writeSync(this.#file, '\n')
  }

  // Whether this is its fate from now on, on the disk; false: it had one.
  settle(id, fate) {
    if (this.#fates.has(id)) return false
    this.#fates.set(id, fate)
    writeSync(this.#file, `${id} ${fate} ${new Date().toISOString()}\n`)
    fsyncSync(this.#file)
    return true
  }

  of(id) {
    return this.#fates.get(id)
  }
}

const [name] = process.argv.slice(2)
const client = { clientId: `channel-${name}`, bootstrapBrokers: (process.env.KAFKA ?? '127.0.0.1:9092').split(',') }
const fates = new Fates(`${name}.fates`)
const producer = new Producer({
  ...client,
  serializers: stringSerializers,
  acks: ProduceAcks.ALL,
  idempotent: true,
  partitioner: compatibilityPartitioner, // Java's, as on every topic
})

async function handle(decisions) {
  const ours = decisions.filter(one => one.data.channel === name)
  // First of all the recalls: a batch may hold an act and its recall, in either order.
  for (const { data } of ours) if (data.outcome === 'recall') fates.settle(data.recalls, 'recalled')
  for (const one of ours) {
    const { id, data } = one
    if (data.outcome === 'recall') {
      await answer(one, 'recalled', { decision_id: data.recalls, in_time: fates.of(data.recalls) !== 'gone' })
    } else if (data.outcome === 'act') {
      const said = { decision_id: id, channel: name }
      if (Date.now() >= Date.parse(data.valid_until)) fates.settle(id, 'expired')
      // Written before it goes out: a crash loses this act, and never says it twice.
      if (fates.settle(id, 'gone')) await answer(one, (await say(one)) ? 'delivered' : 'failed', said)
      else if (fates.of(id) === 'expired') await answer(one, 'expired', said) // its place under a cap is free again
    }
  }
}

async function answer(one, kind, data) {
  const event = {
    specversion: '1.0',
    id: `${data.decision_id}-${kind}`,
    source: `/channel/${name}`,
    type: `response.${kind}`,
    time: new Date().toISOString(),
    subject: one.subject,
    data,
  }
  await producer.send({ messages: [{ topic: 'responses', key: one.subject, value: JSON.stringify(event) }] })
}

// A decision, as a structured CloudEvent or as a binary one; what cannot be read ends the process: it may be a recall.
function read(message) {
  const value = JSON.parse(message.value)
  const attributes = [...message.headers].filter(([key]) => key.startsWith('ce_'))
  if (!attributes.length) return value
  return { ...Object.fromEntries(attributes.map(([key, text]) => [key.slice(3), text])), data: value }
}

// Your provider; false: it was refused and did not go out.
async function say(act) {
  console.log(`to ${act.subject} by ${act.data.channel}: ${act.data.action}`)
  return true
}

const consumer = new Consumer({
  ...client,
  groupId: process.env.GROUP ?? `channel-${name}`,
  deserializers: stringDeserializers,
  autocommit: false, // only what is handled is committed
})
const stream = await consumer.consume({ topics: ['decisions'], mode: 'committed', fallbackMode: 'earliest' })
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stream.close())
for await (const first of stream) {
  const batch = [first]
  for (let next = stream.read(); next !== null; next = stream.read()) batch.push(next)
  await handle(batch.map(read))
  for (const message of new Map(batch.map(one => [one.partition, one])).values()) await message.commit()
}
await consumer.close(true)
await producer.close()
