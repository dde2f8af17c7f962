// Publishes events about a customer. Copy `Outlet`; the three events below are only a story.
//
//   npm ci
//   KAFKA=127.0.0.1:9092 node producer.mjs c-42
import { randomUUID } from 'node:crypto'
import { Producer, ProduceAcks, compatibilityPartitioner, stringSerializers } from '@platformatic/kafka'

// Where each type belongs; all of them stand in contract/asyncapi.json.
const TOPICS = {
  'consent.granted': 'customers',
  'purchase.completed': 'purchases',
  'contact.requested': 'contact-requests',
}

export class Outlet {
  #producer

  constructor(brokers) {
    this.#producer = new Producer({
      clientId: 'shop',
      bootstrapBrokers: brokers.split(','),
      serializers: stringSerializers,
      acks: ProduceAcks.ALL,
      idempotent: true,
      // The partition must be Java's choice on every topic. This client's own default is another for half of the keys.
      partitioner: compatibilityPartitioner,
    })
  }

  // `id`: of your own record, if it has one. The same source and id sent again say nothing new.
  // It is sent once the promise is kept; a refused one throws.
  async send(type, customer, data, { id = randomUUID(), time = new Date() } = {}) {
    const event = {
      specversion: '1.0',
      id,
      source: '/shop',
      type,
      time: time.toISOString(), // when it happened
      subject: customer,
      data,
    }
    await this.#producer.send({
      messages: [
        {
          topic: TOPICS[type],
          key: customer, // the same as `subject`, so that all of a customer is in order
          value: JSON.stringify(event),
          headers: { 'content-type': 'application/cloudevents+json' },
        },
      ],
    })
  }

  close() {
    return this.#producer.close()
  }
}

const outlet = new Outlet(process.env.KAFKA ?? '127.0.0.1:9092')
for (const customer of process.argv.slice(2)) {
  await outlet.send('consent.granted', customer, { purpose: 'marketing' })
  // Money is a decimal string, never a float.
  const line = { sku: 'EREADER-1', quantity: 1, unit_price: '100.00' }
  await outlet.send('purchase.completed', customer, { order_id: randomUUID(), currency: 'GBP', lines: [line] })
  // May we speak, and how? The answer comes on the topic `decisions`, with this request_id.
  const offer = { action: 'ereader_sale', class: 'marketing', channels: ['sms', 'email'], sku: 'EREADER-1' }
  await outlet.send('contact.requested', customer, { request_id: randomUUID(), candidates: [offer] })
}
await outlet.close()
