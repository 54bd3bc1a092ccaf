using System.Security.Cryptography;
using System.Text;
using Graft.Data.Collections;
using Graft.Imaging;

namespace Graft.Studio;

/// <summary>Small copies of photos, made when first looked at and kept in Graft's own folder under what the file was then.</summary>
/// <param name="changed">Told when <see cref="Problem"/> has changed.</param>
internal sealed class Thumbnails(Action changed) : IDisposable
{
    public const int SidePixels = 200;

    private readonly string _folder = GraftHome.Subfolder("thumbnails");

    /// <summary>Photos that are decoded at once: half of the cores stay free for learning.</summary>
    private readonly SemaphoreSlim _decoding = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>Why thumbnails are not kept; null while they are.</summary>
    public string? Problem { get; private set; }

    /// <summary>What a photo's thumbnail is known by; another once the file changes.</summary>
    /// <exception cref="FileNotFoundException">There is no such file any more.</exception>
    public static string KeyOf(Photo photo)
    {
        var state = FileState.Of(photo.Path) ?? throw new FileNotFoundException(null, photo.Path);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{photo.Path}\n{state.Length}\n{state.Written.Ticks}\n{SidePixels}")).AsSpan(0, 16));
    }

    /// <returns>A JPEG.</returns>
    /// <exception cref="UnreadableImageException">It is no photo that can be read.</exception>
    public async Task<byte[]> OfAsync(Photo photo, string key, CancellationToken cancellation)
    {
        var file = Path.Combine(_folder, key[..2], $"{key}.jpg");
        try
        {
            return await RegularFile.ReadAllBytesAsync(file, cancellation);
        }
        catch (IOException)
        {
            // Not made yet.
        }
        await _decoding.WaitAsync(cancellation);
        try
        {
            var jpeg = await Task.Run(() => PhotoFile.Decode(photo.Path, image => JpegEncoder.EncodeThumbnail(image, SidePixels)), cancellation);
            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                WholeFile.Write(file, jpeg, replaces: true);
                Say(null);
            }
            catch (Exception problem) when (SaveProblem.Is(problem))
            {
                // Made again the next time.
                Say($"Small pictures of the photos cannot be kept. {SaveProblem.Words(problem, _folder)} They are made anew each time, which is slower; no label is lost.");
            }
            return jpeg;
        }
        finally
        {
            _decoding.Release();
        }
    }

    private void Say(string? problem)
    {
        if (problem == Problem) return;
        Problem = problem;
        changed();
    }

    public void Dispose() => _decoding.Dispose();
}
