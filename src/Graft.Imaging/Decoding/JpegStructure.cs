using System.Buffers.Binary;

namespace Graft.Imaging;

/// <summary>
/// The segments of a JPEG (ITU T.81, annex B), walked over from the first to the end-of-image marker. Skia decodes row by
/// row, does not look at what follows the last row and fills with gray what a damaged scan leaves out; libjpeg reads to
/// the end and there finds the marker that broke the scan off. Refused here is what libjpeg, and so Pillow, refuses.
/// </summary>
internal readonly record struct JpegStructure
{
    private const byte Fill = 0xFF, StartOfImage = 0xD8, EndOfImage = 0xD9, StartOfScan = 0xDA, ArithmeticTables = 0xCC;
    private const byte HuffmanTables = 0xC4, QuantizationTables = 0xDB, NumberOfLines = 0xDC, RestartInterval = 0xDD;

    /// <summary>Encoders write about ten; each one costs another pass over the whole picture.</summary>
    private const int MostScans = 64;

    /// <summary>
    /// Pixels times the components of all scans: a picture of 100 million pixels may have 20, and encoders write up to 13.
    /// Each of them takes up to two seconds.
    /// </summary>
    private const long MostWork = 2_000_000_000;

    /// <summary>Components of the frame, at full or at reduced resolution.</summary>
    public int Components { get; private init; }

    /// <summary>Coefficients of all components for each pixel: 3 without subsampling, 1.5 in most photos.</summary>
    public double CoefficientsPerPixel { get; private init; }

    /// <summary>Whether all coefficients are kept until the last scan is read.</summary>
    public bool IsBuffered { get; private init; }

    /// <exception cref="UnreadableImageException">It is truncated, damaged, or would take too long.</exception>
    public static JpegStructure Read(ReadOnlySpan<byte> file)
    {
        var structure = new JpegStructure();
        var (scans, scanned, pixels, isProgressive, isArithmetic, coefficients) = (0, 0L, 0L, false, false, 0.0);
        // After the start-of-image marker.
        for (var at = 2; ;)
        {
            // In a scan this also passes over its data, in which a 0 follows each 255.
            var found = file[at..].IndexOf(Fill);
            if (found < 0 || at + found + 1 >= file.Length) throw Truncated();
            at += found + 1;
            var marker = file[at];
            switch (marker)
            {
                case Fill:
                    continue;
                case 0 or 1 or (>= 0xD0 and < StartOfImage):
                    at++;
                    continue;
                case EndOfImage:
                    // Without a frame: Skia says what is wrong.
                    return structure;
                case StartOfImage:
                    throw Damaged("a second picture begins inside it");
                case < 0xC0 or 0xDE or 0xDF or (>= 0xF0 and <= 0xFD):
                    throw Damaged($"it has a marker of no meaning, FF{marker:X2}");
            }
            if (at + 3 > file.Length) throw Truncated();
            var length = BinaryPrimitives.ReadUInt16BigEndian(file[(at + 1)..]);
            if (at + 1 + length > file.Length) throw Truncated();
            var segment = length < 2 ? [] : file.Slice(at + 3, length - 2);
            at += 1 + length;
            switch (marker)
            {
                case StartOfScan:
                    if (segment.IsEmpty) throw Damaged("a scan has no header");
                    if (scans > 0 && !structure.IsBuffered) throw Damaged("it has scans after the last one");
                    scanned += segment[0];
                    if (++scans > MostScans || scanned * pixels > MostWork)
                    {
                        throw new UnreadableImageException(
                            $"JPEG of {scans} or more scans, which would take too long to decode. Save it with fewer.");
                    }
                    structure = structure with { IsBuffered = isProgressive || segment[0] < structure.Components };
                    break;
                case HuffmanTables when !AreHuffmanTables(segment):
                case QuantizationTables when !AreQuantizationTables(segment):
                case RestartInterval when segment.Length != 2:
                    throw Damaged($"a table in it is broken (marker FF{marker:X2})");
                case HuffmanTables or QuantizationTables or RestartInterval or NumberOfLines or ArithmeticTables or >= 0xE0:
                    break;
                default:
                    if (structure.Components > 0) throw Damaged("a second frame begins inside it");
                    if (segment.Length < 6 || segment.Length < 6 + 3 * segment[5]) throw Damaged("its frame has no header");
                    pixels = (long)BinaryPrimitives.ReadUInt16BigEndian(segment[1..]) * BinaryPrimitives.ReadUInt16BigEndian(segment[3..]);
                    isProgressive = marker is 0xC2 or 0xCA;
                    isArithmetic = marker > 0xC8;
                    structure = new() { Components = segment[5], CoefficientsPerPixel = Coefficients(segment[6..], segment[5]) };
                    // A block of 64 takes at least a bit: in a first scan, or two in the only one.
                    if (!isArithmetic && pixels / 64 > 8L * file.Length) throw Truncated();
                    break;
            }
        }
    }

    private static double Coefficients(ReadOnlySpan<byte> components, int count)
    {
        var (sum, across, down) = (0, 1, 1);
        for (var i = 0; i < count; i++)
        {
            var (horizontal, vertical) = (components[3 * i + 1] >> 4, components[3 * i + 1] & 15);
            sum += horizontal * vertical;
            (across, down) = (Math.Max(across, horizontal), Math.Max(down, vertical));
        }
        return (double)sum / (across * down);
    }

    /// <summary>Annex B.2.4.2: class and number, codes of each length, and as many values.</summary>
    private static bool AreHuffmanTables(ReadOnlySpan<byte> segment)
    {
        while (segment.Length > 16)
        {
            var codes = 0;
            foreach (var count in segment.Slice(1, 16)) codes += count;
            if (codes > 256 || codes > segment.Length - 17 || (segment[0] & 0xEF) > 3) return false;
            segment = segment[(17 + codes)..];
        }
        return segment.IsEmpty;
    }

    /// <summary>Annex B.2.4.1: precision and number, and 64 values of one or two bytes.</summary>
    private static bool AreQuantizationTables(ReadOnlySpan<byte> segment)
    {
        while (!segment.IsEmpty)
        {
            var size = 1 + (segment[0] >> 4 == 0 ? 64 : 128);
            if ((segment[0] & 15) > 3 || segment.Length < size) return false;
            segment = segment[size..];
        }
        return true;
    }

    private static UnreadableImageException Truncated() => new(Completeness.Truncated(ImageFormat.Jpeg));

    private static UnreadableImageException Damaged(string what) => new($"damaged JPEG: {what}");
}
