using System.Buffers.Binary;

namespace Graft.Fuzz;

/// <summary>Makes a valid file wrong in one to four places, the same for the same random numbers.</summary>
internal sealed class Mutator(Random random, IReadOnlyList<byte[]> words)
{
    /// <summary>Numbers at which sizes, counts and offsets break.</summary>
    private static readonly uint[] Edges =
        [0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF];

    /// <param name="seed">What is changed; it stays as it is.</param>
    /// <param name="other">Another valid file, of which a part may be put in.</param>
    public byte[] Mutate(byte[] seed, byte[] other)
    {
        var file = seed.ToList();
        for (var times = random.Next(1, 5); times > 0 && file.Count > 0; times--) Change(file, other);
        return [.. file];
    }

    private void Change(List<byte> file, byte[] other)
    {
        var at = Place(file.Count);
        switch (random.Next(10))
        {
            case 0:
                file[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                file[at] = (byte)random.Next(256);
                break;
            case 2 or 3:
                Number(file, at);
                break;
            case 4:
                file.RemoveRange(at, random.Next(Math.Min(file.Count - at, 1 << random.Next(12)) + 1));
                break;
            case 5:
                file.RemoveRange(at, file.Count - at);
                break;
            case 6:
                file.InsertRange(at, file.Slice(at, random.Next(Math.Min(file.Count - at, 1 << random.Next(12)) + 1)));
                break;
            case 7:
                var from = random.Next(other.Length);
                Put(file, at, other.AsSpan(from, random.Next(Math.Min(other.Length - from, 512) + 1)));
                break;
            case 8 when words.Count > 0:
                Put(file, at, words[random.Next(words.Count)]);
                break;
            default:
                for (var end = Math.Min(file.Count, at + random.Next(1, 64)); at < end; at++) file[at] = (byte)random.Next(256);
                break;
        }
    }

    /// <summary>Headers break more than what follows: half of the places are among the first 128 bytes.</summary>
    private int Place(int length) => random.Next(random.Next(2) == 0 ? Math.Min(length, 128) : length);

    private void Number(List<byte> file, int at)
    {
        Span<byte> number = stackalloc byte[4];
        var value = Edges[random.Next(Edges.Length)];
        if (random.Next(2) == 0) BinaryPrimitives.WriteUInt32LittleEndian(number, value);
        else BinaryPrimitives.WriteUInt32BigEndian(number, value);
        var size = 1 << random.Next(3);
        // The end that holds a small number's digits.
        Put(file, at, random.Next(2) == 0 ? number[..size] : number[^size..]);
    }

    private static void Put(List<byte> file, int at, ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < bytes.Length && at + i < file.Count; i++) file[at + i] = bytes[i];
    }
}
