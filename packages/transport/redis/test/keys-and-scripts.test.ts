import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeTopic } from '@evt/core'
import { streamKeys, topicKeys } from '../src/names.ts'

// S3: nothing that a user names becomes part of a script, or of a key beside its own.

const folder = join(__dirname, '..', 'scripts')
const scripts = readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')] as const)

test.each(scripts)('%s names every command in full and makes no code out of text', (_file, source) => {
  const code = source.replaceAll(/--.*$/gm, '')
  expect([...code.matchAll(/redis\.p?call\(\s*([^,)\s]+)/g)].map(([, command]) => command)).not.toHaveLength(0)
  for (const [, command] of code.matchAll(/redis\.p?call\(\s*([^,)\s]+)/g)) expect(command).toMatch(/^'[A-Z]+'$/)
  expect(code).not.toMatch(/\b(loadstring|load|dofile|setfenv|getfenv|rawset|debug|_G)\b/)
})

/** What decides about the slot of a key in a cluster. Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec */
function hashTag(key: string): string {
  const open = key.indexOf('{')
  const close = key.indexOf('}', open + 1)
  return open < 0 || close <= open + 1 ? key : key.slice(open + 1, close)
}

test('all keys of a topic lie in one slot, and those of two namespaces are never the same', () => {
  const hostile = ['a', 'a.b', 'a-b', '{b}', 'a}', '}{', 'a:group:b', '*', '[a-z]', 'a\r\nFLUSHALL', 'ä', '\0']
  const seen = new Map<string, string>()
  for (const namespace of hostile) {
    for (const name of ['order.created', '}order', 'x:y']) {
      const topic = encodeTopic(namespace, name)
      const keys = topicKeys('evt', topic)
      const { topic: own, letters, letterCounts, ephemerals, cuts } = keys
      const all = [own, letters, letterCounts, ephemerals, cuts, ...Object.values(keys.group('orders/payment'))]
      all.push(...streamKeys('evt', topic, undefined), ...streamKeys('evt', topic, 4))
      for (const key of all) {
        expect(hashTag(key)).toBe(topic)
        expect(key).toMatch(/^[\x21-\x7e]+$/)
        expect(seen.get(key)).toBeUndefined()
        seen.set(key, namespace)
      }
    }
  }
})
