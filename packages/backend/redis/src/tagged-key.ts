import { evtError } from '@evt/core'

/** `<prefix>:{<tag>}:<part>:…`: all keys of one tag lie in one slot of a cluster, so one script may change them together. */
export function taggedKey(prefix: string, tag: string, ...parts: readonly string[]): string {
  if (/[{}]/.test(prefix) || /[{}]/.test(tag) || tag === '') {
    throw evtError('EVT_NAME_INVALID', `"${prefix}:${tag}" cannot be the hash tag of a key: braces end it`, {
      kind: 'key',
      name: tag,
    })
  }
  return [prefix, `{${tag}}`, ...parts].join(':')
}
