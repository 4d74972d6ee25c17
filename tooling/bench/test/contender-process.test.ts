import { startContenderProcess } from '../src/contender-process.ts'
import { workloadsIn } from '../src/workloads.ts'

describe('a contender in a process of its own', () => {
  it('is started, measured round after round, and ended with its process', async () => {
    const workload = (await workloadsIn('w0')).find(({ id }) => id === 'w0.publish')!
    const contender = await startContenderProcess({ file: 'w0', workload }, 0, [])
    const taken = [await contender.round('warm-up'), await contender.round('measured')]
    for (const { value, figures, duplicates } of taken) {
      expect(value).toBeGreaterThan(0)
      expect(figures['cpu µs']).toBeGreaterThan(0)
      expect(duplicates).toBe(0)
    }
    expect(await contender.facts()).toEqual({})
    await contender.stop()
    await expect(contender.round('measured')).rejects.toThrow('its process ended with 0')
  })

  it('hands on why it could not start', async () => {
    const [workload] = await workloadsIn('w0')
    const lost = { ...workload!, id: 'w0.lost' }
    await expect(startContenderProcess({ file: 'w0', workload: lost }, 0, [])).rejects.toThrow(
      'w0 has no timed workload w0.lost',
    )
  })
})
