using System.Buffers.Binary;

namespace Graft.Imaging;

/// <summary>
/// PBM, PGM and PPM (the netpbm formats P1 to P6), as Pillow reads them: samples scaled to 0 to 255 and rounded, halves to even; gray of more
/// than 8 bits scaled, where Pillow clips it.
/// </summary>
internal static class PnmDecoder
{
    private const string Space = " \t\n\v\f\r";

    public static RgbImage Decode(ReadOnlySpan<byte> file, DecodingOptions options, DecodingLease lease)
    {
        var kind = file[1] - '0';
        var at = 3;
        var (width, height) = (HeaderNumber(file, ref at), HeaderNumber(file, ref at));
        options.CheckPixels(width, height);
        var isBits = kind is 1 or 4;
        var largest = isBits ? 1 : HeaderNumber(file, ref at);
        if (largest is < 1 or > 65535) throw new UnreadableImageException($"broken PNM header: its largest sample is {largest}, where 1 to 65535 is possible");
        var rowSamples = kind is 3 or 6 ? 3 * width : width;
        var rowBytes = kind == 4 ? (width + 7) / 8 : largest > 255 ? 2 * rowSamples : rowSamples;
        // Written out, a sample takes a digit at least, and a space unless it is a bit.
        var needed = kind switch { 1 => (long)rowSamples * height, < 4 => 2L * rowSamples * height - 1, _ => (long)rowBytes * height };
        if (needed > file.Length - at) throw Truncated();

        lease.Take(width, height, 3L * width * height);
        var image = RgbImage.Uninitialized(width, height);
        var scaled = Scaled(largest, isGray: rowSamples == width);
        for (var y = 0; y < height; y++)
        {
            var row = image.Row(y);
            var stored = kind > 3 ? file.Slice(at + y * rowBytes, rowBytes) : [];
            for (var i = 0; i < rowSamples; i++)
            {
                var sample = kind switch
                {
                    1 => Bit(file, ref at),
                    4 => stored[i >> 3] >> (7 - (i & 7)) & 1,
                    < 4 => Number(file, ref at),
                    _ when largest > 255 => BinaryPrimitives.ReadUInt16BigEndian(stored[(2 * i)..]),
                    _ => stored[i],
                };
                if (sample > largest && kind < 4) throw new UnreadableImageException($"damaged PNM: a sample of {sample}, where {largest} is the largest");
                var value = isBits ? (byte)(sample - 1) : scaled[Math.Min(sample, largest)];
                if (rowSamples == width) row.Slice(3 * i, 3).Fill(value);
                else row[i] = value;
            }
        }
        return image;
    }

    /// <summary>What the header says is white.</summary>
    public static int LargestSample(ReadOnlySpan<byte> file)
    {
        var at = 3;
        HeaderNumber(file, ref at);
        HeaderNumber(file, ref at);
        return file[1] is (byte)'1' or (byte)'4' ? 1 : HeaderNumber(file, ref at);
    }

    private static byte[] Scaled(int largest, bool isGray)
    {
        var scaled = new byte[largest + 1];
        for (var sample = 0; sample <= largest; sample++)
        {
            scaled[sample] = isGray && largest > 255
                ? (byte)((int)Math.Round((double)sample / largest * 65535) >> 8)
                : (byte)Math.Round((double)sample / largest * 255);
        }
        return scaled;
    }

    private static int HeaderNumber(ReadOnlySpan<byte> file, ref int at)
    {
        try
        {
            return Number(file, ref at);
        }
        catch (UnreadableImageException)
        {
            throw new UnreadableImageException("broken PNM header: width, height and largest sample are expected");
        }
    }

    /// <summary>Digits up to the next space, which is passed over. A comment goes from # to the end of the line.</summary>
    private static int Number(ReadOnlySpan<byte> file, ref int at)
    {
        var (value, digits) = (0L, 0);
        for (; at < file.Length; at++)
        {
            var letter = file[at];
            if (letter == '#')
            {
                SkipComment(file, ref at);
            }
            else if (Space.Contains((char)letter))
            {
                if (digits == 0) continue;
                at++;
                break;
            }
            else if (!char.IsAsciiDigit((char)letter) || ++digits > 10)
            {
                throw new UnreadableImageException("damaged PNM: it has something else where a number is expected");
            }
            else
            {
                value = 10 * value + letter - '0';
            }
        }
        if (digits == 0) throw Truncated();
        return (int)Math.Min(value, int.MaxValue);
    }

    private static int Bit(ReadOnlySpan<byte> file, ref int at)
    {
        for (; at < file.Length; at++)
        {
            switch (file[at])
            {
                case (byte)'#':
                    SkipComment(file, ref at);
                    break;
                case (byte)'0' or (byte)'1':
                    return file[at++] - '0';
                case var letter when !Space.Contains((char)letter):
                    throw new UnreadableImageException("damaged PNM: it has something else where 0 or 1 is expected");
            }
        }
        throw Truncated();
    }

    /// <summary>To the end of the line.</summary>
    private static void SkipComment(ReadOnlySpan<byte> file, ref int at)
    {
        while (at < file.Length && file[at] is not ((byte)'\n' or (byte)'\r')) at++;
    }

    private static UnreadableImageException Truncated() => new(Completeness.Truncated(ImageFormat.Pnm));
}
