using Graft.Testing;

namespace Graft.Tests;

public class SmokeTests
{
    [Fact]
    public void Works() => Assert.Equal(4, 2 + 2);

    [SharedFact("nothing")]
    public void Skipped() => Assert.Fail();
}
