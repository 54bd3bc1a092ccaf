using System.Buffers.Binary;
using System.IO.Compression;

namespace Graft.Tests.Imaging;

/// <summary>PNG files written chunk by chunk, because encoders cannot be asked for odd or lying ones.</summary>
internal sealed class HandmadePng
{
    private readonly List<byte> _file = [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10];

    /// <param name="color">0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGBA.</param>
    /// <param name="width">Pixels.</param>
    /// <param name="height">Pixels.</param>
    /// <param name="bits">Bits of a sample.</param>
    public HandmadePng(int width, int height, int bits, byte color, bool isInterlaced = false)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = ((byte)bits, color, (byte)(isInterlaced ? 1 : 0));
        Chunk("IHDR"u8, header);
    }

    public HandmadePng Chunk(ReadOnlySpan<byte> name, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        _file.AddRange(number);
        _file.AddRange(name);
        _file.AddRange(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc([.. name, .. data]));
        _file.AddRange(number);
        return this;
    }

    /// <summary>The file: these rows without filter, and the end.</summary>
    public byte[] WithRows(params byte[][] rows)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest))
        {
            foreach (var row in rows) zlib.Write([0, .. row]);
        }
        return Chunk("IDAT"u8, packed.ToArray()).Chunk("IEND"u8, []).ToArray();
    }

    public byte[] ToArray() => _file.ToArray();

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
        }
        return ~crc;
    }
}
