using Graft.Cli.Demo;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>A small drawn data set with train/ and test/ folders, made once for all tests of a class.</summary>
public sealed class DrawnPhotos : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public DrawnPhotos()
    {
        Folder = _folder.File("photos");
        DemoPhotos.Draw(Folder, trainPerClass: 8, validationPerClass: 0, testPerClass: 4, seed: 7, sizePixels: 96);
    }

    public string Folder { get; }

    public void Dispose() => _folder.Dispose();
}
