using System.Diagnostics;
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

    private static string Outcome(string name)
    {
        try
        {
            var image = ImageDecoder.Decode(SharedFolder.Path($"{Folder}/{name}"));
            return $"{image.Width}x{image.Height}";
        }
        catch (UnreadableImageException unreadable)
        {
            Assert.False(string.IsNullOrWhiteSpace(unreadable.Reason));
            Assert.DoesNotContain('\n', unreadable.Message);
            Assert.Contains(name, unreadable.Message, StringComparison.Ordinal);
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
