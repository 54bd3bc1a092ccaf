using Graft.Testing;

namespace Graft.Tests;

public sealed class OutputFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a.jpg", "a.jpg")]
    [InlineData("cat/a.jpg", "cat/a.jpg")]
    [InlineData("..cat/...jpg", "..cat/...jpg")]
    public void Names_inside_are_resolved(string name, string path) =>
        Assert.Equal(Path.Combine(_folder.FullName, path), new OutputFolder(_folder.FullName).PathOf(name));

    [Theory]
    [InlineData("../a.jpg")]
    [InlineData("cat/../../a.jpg")]
    [InlineData("cat/..")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    [InlineData("cat//a.jpg")]
    [InlineData("/etc/a.jpg")]
    [InlineData("cat/a\0.jpg")]
    public void Names_that_lead_outside_are_refused(string name)
    {
        var problem = Assert.Throws<GraftException>(() => new OutputFolder(_folder.FullName).PathOf(name));

        Assert.Contains("nothing is written for it", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_link_in_the_folder_is_not_followed_out_of_it()
    {
        var (inside, outside) = (_folder.File("in/x")[..^2], _folder.File("out/x")[..^2]);
        Directory.CreateSymbolicLink(Path.Combine(inside, "link"), outside);
        Directory.CreateSymbolicLink(Path.Combine(inside, "further"), Path.Combine(inside, "link", "not there yet"));
        Directory.CreateSymbolicLink(Path.Combine(inside, "harmless"), Directory.CreateDirectory(Path.Combine(inside, "cat")).FullName);
        File.CreateSymbolicLink(Path.Combine(inside, "round"), Path.Combine(inside, "round"));
        var folder = new OutputFolder(inside);

        Assert.Equal("leads out of the folder through a link", folder.ProblemWith("link/a.jpg"));
        Assert.Equal("leads out of the folder through a link", folder.ProblemWith("further/a.jpg"));
        Assert.Null(folder.ProblemWith("harmless/a.jpg"));
        Assert.Null(folder.ProblemWith("round/a.jpg"));
    }

    [Fact]
    public void The_folder_itself_may_be_a_link()
    {
        var outside = _folder.File("out/x")[..^2];
        var link = Path.Combine(_folder.FullName, "link");
        Directory.CreateSymbolicLink(link, outside);

        Assert.Null(new OutputFolder(link).ProblemWith("cat/a.jpg"));
    }

    [Theory]
    [InlineData("con", "_con")]
    [InlineData("NUL.tar", "_NUL.tar")]
    [InlineData("COM1", "_COM1")]
    [InlineData("console", "console")]
    [InlineData("..", "_")]
    [InlineData("../evil", ".._evil")]
    [InlineData("C:\\x", "C__x")]
    [InlineData(" tulip. ", "tulip")]
    [InlineData("a\0b\n", "a_b_")]
    public void A_class_name_becomes_a_folder_name_on_every_system(string name, string safe)
    {
        Assert.Equal(safe, OutputFolder.SafeName(name));
        Assert.Null(OutputFolder.ProblemWithName(safe, isWindows: true));
        Assert.Equal(name == safe, OutputFolder.ProblemWithName(name, isWindows: true) is null);
    }
}
