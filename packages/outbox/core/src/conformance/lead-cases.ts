import { type ConformanceCase, eventually, expectThat } from '@evt/core/conformance'
import { type OutboxStoreFactory, positions, readAll, storedMessage, texts, withStore, write } from './harness.ts'

const shortLeaseMs = 100
const longLeaseMs = 60_000

/** Who may publish, and what a former leader may still do. */
export function leadCases<Transaction>(create: OutboxStoreFactory<Transaction>): readonly ConformanceCase[] {
  return [
    {
      name: 'of many that ask at once one leads, and renewing keeps its token',
      run: () =>
        withStore(create, async ({ store }) => {
          const owners = Array.from({ length: 10 }, (_v, n) => `relay-${n}`)
          const leads = (await Promise.all(owners.map((owner) => store.lead(owner, longLeaseMs)))).filter(
            (lead) => lead !== null,
          )
          expectThat(leads.length === 1, 'one leads')
          const again = await store.lead(leads[0]!.owner, longLeaseMs)
          expectThat(again?.token === leads[0]!.token, 'a renewal keeps the token')
        }),
    },
    {
      name: 'a lead that ends is taken over under a higher token, and a release ends it at once',
      run: () =>
        withStore(create, async ({ store }) => {
          const first = (await store.lead('a', shortLeaseMs))!
          let second = await store.lead('b', longLeaseMs)
          await eventually(async () => {
            second ??= await store.lead('b', longLeaseMs)
            return second !== null
          }, 'a lead ends by itself')
          expectThat(BigInt(second!.token) > BigInt(first.token), 'the token grows with every owner')
          await store.release(first)
          expectThat((await store.lead('c', longLeaseMs)) === null, 'a former leader releases nothing')
          await store.release(second!)
          expectThat((await store.lead('c', longLeaseMs)) !== null, 'a release ends the lead at once')
        }),
    },
    {
      name: 'taking the lead tells the newest position of that moment',
      run: () =>
        withStore(create, async (harness) => {
          const { store } = harness
          expectThat((await store.lead('a', longLeaseMs))!.bound === null, 'null where there are no rows')
          await write(harness, [storedMessage('1'), storedMessage('2')])
          const { bound } = (await store.lead('a', longLeaseMs))!
          expectThat(bound !== null && bound === (await store.bound()), 'the same as bound answers')
        }),
    },
    {
      name: 'the leader puts rows aside, a former leader cannot, and rows put aside are read no more',
      run: () =>
        withStore(create, async (harness) => {
          const { store } = harness
          await write(harness, [storedMessage('1'), storedMessage('2'), storedMessage('3')])
          const [one, two] = positions(await readAll(store))
          const lease = (await store.lead('a', longLeaseMs))!
          expectThat(await store.park(lease, [{ position: one!, reason: 'half \ud800 \0' }]), 'the leader may')
          expectThat(await store.park(lease, [{ position: one!, reason: 'again' }]), 'twice is once')
          await store.release(lease)
          await store.lead('b', longLeaseMs)
          expectThat(!(await store.park(lease, [{ position: two!, reason: 'late' }])), 'a former leader may not')
          const stolen = { ...lease, owner: 'b' }
          expectThat(!(await store.park(stolen, [{ position: two!, reason: 'late' }])), 'owner and token are compared')
          expectThat((await texts(store)).join() === '2,3', 'what was put aside is read no more')
          const { waiting, parked } = await store.count()
          expectThat(waiting === 2 && parked === 1, 'both kinds are counted')
        }),
    },
  ]
}
