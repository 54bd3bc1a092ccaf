using System.Diagnostics;
using System.Security.Cryptography;
using Graft.Imaging;
using Graft.Testing;

namespace Graft.ParityTests.Imaging;

/// <summary>Broken, lying and odd files: each gives a picture or one clear line, soon and in little memory.</summary>
[Collection(nameof(HostileFilesTests))]
[CollectionDefinition(nameof(HostileFilesTests), DisableParallelization = true)]
public class HostileFilesTests
{
    private const string Folder = "data/hostile";

    /// <summary>
    /// Where Pillow refuses a file and a picture comes out here: bitmap kinds that Skia reads as well; metadata that is
    /// broken around intact pixels; TIFF layouts that Pillow does not know. None of them is a part of a picture.
    /// </summary>
    private static readonly HashSet<string> ReadableBeyondPillow =
    [
        "bmp__g__rgb32bf.bmp", "bmp__q__pal2.bmp", "bmp__q__pal8os2v2-16.bmp", "bmp__q__pal8oversizepal.bmp",
        "bmp__q__rgb16-231.bmp", "bmp__q__rgb32-111110.bmp", "bmp__q__rgb32h52.bmp", "bmp__q__rgba16-4444.bmp",
        "bmp__q__rgba32.bmp", "bmp__q__rgba32abf.bmp", "bmp__q__rgba32h56.bmp",
        "apng__chunk_no_fctl.png", "png_decompression_dos.png", "unknown_compression_method.png",
        "truncated_exif_dpi.jpg", "8bit.s.tif", "hopper_unknown_pixel_mode.tif",
    ];

    [SharedFact(Folder)]
    public void Valid_files_are_read_in_the_size_that_Pillow_reports()
    {
        var wrong = new List<string>();
        foreach (var (name, verdict) in PillowVerdicts())
        {
            if (!verdict.StartsWith("ok", StringComparison.Ordinal)) continue;
            var outcome = Outcome(name);
            var size = verdict.Split(' ')[^1];
            if (outcome != size) wrong.Add($"{name}: Pillow {size}, here {outcome}");
        }
        Assert.Empty(wrong);
    }

    [SharedFact(Folder)]
    public void What_Pillow_refuses_is_refused_or_known_to_be_readable()
    {
        var wrong = new List<string>();
        foreach (var (name, verdict) in PillowVerdicts())
        {
            // Warnings are what Pillow says of pictures that it reads; of TIFFs with such warnings it reads none.
            var refused = !verdict.StartsWith("ok", StringComparison.Ordinal)
                && (!verdict.StartsWith("UserWarning", StringComparison.Ordinal)
                    || name.EndsWith(".tif", StringComparison.Ordinal));
            var readable = ReadableBeyondPillow.Contains(Path.GetFileName(name));
            if (refused && char.IsAsciiDigit(Outcome(name)[0]) != readable) wrong.Add($"{name}: {Outcome(name)}");
        }
        Assert.Empty(wrong);
    }

    /// <summary>
    /// Generous for a busy machine: the slowest, a fax of 15 megapixels, takes half a second and 50 MB. Skia's
    /// buffers are not the collector's, so the peak of the whole process is watched too.
    /// </summary>
    [SharedFact(Folder)]
    public void No_file_takes_long_or_much_memory()
    {
        var peak = PeakBytes();
        foreach (var name in Names())
        {
            var (start, allocated) = (Stopwatch.GetTimestamp(), GC.GetAllocatedBytesForCurrentThread());
            Outcome(name);
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5), $"{name} took too long.");
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - allocated < 100e6, $"{name} allocated too much.");
        }
        Assert.InRange(PeakBytes() - peak, 0, 300e6);
    }

    /// <summary>Small files that once took gigabytes, many seconds, or gave half a picture.</summary>
    [SharedTheory("cases/images")]
    [InlineData("damaged_scan_1.jpg", "damaged JPEG")]
    [InlineData("damaged_scan_2.jpg", "damaged JPEG")]
    [InlineData("jpeg_64scans.jpg", "take too long")]
    [InlineData("tiff_count_byte.tif", "16x16")]
    [InlineData("tiff_count_double.tif", "16x16")]
    [InlineData("tiff_mem_2.tif", "more than the file holds")]
    [InlineData("tiff_planes.tif", "too large")]
    [InlineData("webp_38_bytes.webp", "9990x9990")]
    public void A_small_file_takes_little_and_says_what_is_wrong(string name, string expected)
    {
        var (start, allocated) = (Stopwatch.GetTimestamp(), GC.GetAllocatedBytesForCurrentThread());
        Assert.Contains(expected, OutcomeOf($"cases/images/{name}"), StringComparison.Ordinal);
        // The result of the WebP takes 300 MB and half a second; nothing else takes anything.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, name.EndsWith(".webp", StringComparison.Ordinal) ? 300e6 : 1e6);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5), $"{name} took too long.");
    }

    /// <summary>Equal: a GIF has no loss. The hashes are of Pillow 9.4's pixels, converted to RGB.</summary>
    [SharedTheory("cases/images")]
    [InlineData("cases/images/gif_first_frame_partial.gif", "a4c393462dcab0122db29316a8844fba213d87e551f28f186dca74844223296f")]
    [InlineData("data/hostile/odd_but_valid/decompression_bomb_extents.gif", "d02a8da86fec6ef80c209c8437c76cf8fbecb6528cd7ba95ef93eecc52a171c7")]
    [InlineData("data/hostile/odd_but_valid/duplicate_frame.gif", "d13d4a8b3b8add19b5970157f09d00c12cbda4fed4d74d8493156523f7069b66")]
    public void A_GIF_has_the_pixels_that_Pillow_reads(string file, string hash) => Assert.Equal(
        hash, Convert.ToHexStringLower(SHA256.HashData(ImageDecoder.Decode(SharedFolder.Path(file)).Pixels)));

    /// <summary>Skia decodes a cut progressive JPEG to a blurred picture and calls it a success.</summary>
    [SharedTheory("reference/preprocessing")]
    [InlineData("trash_paper_progressive.jpg")]
    [InlineData("trash_glass_420.jpg")]
    [InlineData("grey.jpg")]
    [InlineData("cmyk.jpg")]
    public void A_cut_JPEG_is_never_half_a_picture(string name)
    {
        var file = File.ReadAllBytes(SharedFolder.Path($"reference/preprocessing/{name}"));
        for (var length = file.Length - 1; length > 0; length -= 1 + length / 40)
            Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(file.AsMemory(0, length)));
    }

    private static string Outcome(string name) => OutcomeOf($"{Folder}/{name}");

    private static string OutcomeOf(string file)
    {
        try
        {
            var image = ImageDecoder.Decode(SharedFolder.Path(file));
            return $"{image.Width}x{image.Height}";
        }
        catch (UnreadableImageException unreadable)
        {
            Assert.False(string.IsNullOrWhiteSpace(unreadable.Reason));
            Assert.DoesNotContain('\n', unreadable.Message);
            Assert.Contains(Path.GetFileName(file), unreadable.Message, StringComparison.Ordinal);
            return unreadable.Reason;
        }
    }

    private static long PeakBytes()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }

    private static List<string> Names()
    {
        var names = PillowVerdicts().Select(row => row.Name).ToList();
        Assert.Equal(118, names.Count);
        return names;
    }

    private static IEnumerable<(string Name, string Verdict)> PillowVerdicts() =>
        File.ReadLines(SharedFolder.Path($"{Folder}/pillow_verdicts.tsv")).Select(line => line.Split('\t'))
            .Select(fields => (fields[0], fields[1]));
}
