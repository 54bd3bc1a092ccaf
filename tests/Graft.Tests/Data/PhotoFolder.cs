using Graft.Data;
using Graft.Testing;

namespace Graft.Tests.Data;

/// <summary>A temporary folder of files that pass for images: listing looks at names and lengths only.</summary>
internal sealed class PhotoFolder : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public string FullName => folder.FullName;

    /// <param name="content">Null for one that no other file has.</param>
    public string Put(string relative, string? content = null)
    {
        var path = folder.File(relative);
        File.WriteAllText(path, content ?? relative);
        return path;
    }

    public void PutMany(string directory, int count)
    {
        for (var number = 0; number < count; number++) Put($"{directory}/{number:D4}.jpg");
    }

    public LabeledImages Load(LabeledImagesOptions? options = null) => LabeledImages.Load(FullName, options);

    public DataException LoadFails(LabeledImagesOptions? options = null) =>
        Assert.Throws<DataException>(() => Load(options));

    public string[] Relative(IEnumerable<LabeledImage> images) => Relative(images.Select(image => image.Path));

    public string[] Relative(IEnumerable<string> paths) =>
        [.. paths.Select(path => Path.GetRelativePath(FullName, path).Replace('\\', '/'))];

    public void Dispose() => folder.Dispose();
}
