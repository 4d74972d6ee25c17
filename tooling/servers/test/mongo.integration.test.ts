import { MongoClient } from 'mongodb'
import { mongo } from '../src/index.ts'

async function once<Result>(url: string, work: (client: MongoClient) => Promise<Result>): Promise<Result> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 1_000 })
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}

mongo.describe("a test's MongoDB", () => {
  it('commits a transaction and undoes a failed one, in a database that goes when it is dropped', async () => {
    const { url, database, drop } = await mongo.fresh()
    await once(url, async (client) => {
      const notes = client.db().collection<{ text: string }>('notes')
      await client.withSession((session) =>
        session.withTransaction(async () => {
          await notes.insertOne({ text: 'kept' }, { session })
        }),
      )
      const undone = client.withSession((session) =>
        session.withTransaction(async () => {
          await notes.insertOne({ text: 'undone' }, { session })
          throw new Error('undo')
        }),
      )
      await expect(undone).rejects.toThrow('undo')
      expect(await notes.find({}, { projection: { _id: 0 } }).toArray()).toEqual([{ text: 'kept' }])
      await drop()
      const { databases } = await client.db().admin().listDatabases()
      expect(databases.map(({ name }) => name)).not.toContain(database)
    })
  })

  it('starts a private server that keeps what it acknowledged over a crash, and stops', async () => {
    const server = await mongo.start()
    const count = () => once(server.url, (client) => client.db('own').collection('notes').countDocuments())
    await once(server.url, (client) =>
      client
        .db('own')
        .collection('notes')
        .insertOne({}, { writeConcern: { w: 'majority', journal: true } }),
    )
    await server.kill()
    await expect(count()).rejects.toThrow()
    await server.restart()
    expect(await count()).toBe(1)
    await server.restart({ kill: true })
    expect(await count()).toBe(1)
    await server.stop()
    await expect(count()).rejects.toThrow()
  }, 60_000)
})
