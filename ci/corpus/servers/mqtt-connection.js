// A server on mqtt-connection, as its README has it: it answers, and delivers nothing. node mqtt-connection.js PREFIX PORT
const [prefix, port] = process.argv.slice(2)
const connection = require(prefix + '/node_modules/mqtt-connection')
require('net').createServer((stream) => {
  const client = connection(stream)
  client.on('connect', () => client.connack({ returnCode: 0 }))
  client.on('pingreq', () => client.pingresp())
  client.on('publish', (packet) => { if (packet.qos === 1) client.puback({ messageId: packet.messageId }) })
  client.on('subscribe', (packet) => client.suback({ granted: [packet.qos || 0], messageId: packet.messageId }))
  for (const event of ['close', 'error', 'disconnect']) client.on(event, () => client.destroy())
}).listen(Number(port), '127.0.0.1', () => console.log('ready'))
